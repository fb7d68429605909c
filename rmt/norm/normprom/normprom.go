// Package normprom shows NORM senders and receivers to Prometheus.
//
// It is a module of its own, so that nobody else gets Prometheus' dependencies.
package normprom

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gomulticast/multicast/rmt/norm"
)

// A Collector collects what a sender or a receiver reports. It is safe for concurrent
// use, and costs nothing between scrapes.
type Collector struct {
	descs   []*prometheus.Desc
	collect func(ch chan<- prometheus.Metric)
}

var _ prometheus.Collector = (*Collector)(nil)

// Describe sends the descriptions of all metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect sends what the session reports now.
func (c *Collector) Collect(ch chan<- prometheus.Metric) { c.collect(ch) }

// A metric is one that a report gives: of the session, or with a label of a peer.
type metric[T any] struct {
	name, help string
	kind       prometheus.ValueType
	value      func(*T) float64
}

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

var senderMetrics = []metric[norm.SenderReport]{
	{"packets_sent_total", "Messages sent.", counter, func(r *norm.SenderReport) float64 { return float64(r.Stats.Packets) }},
	{"sent_bytes_total", "UDP payload sent.", counter, func(r *norm.SenderReport) float64 { return float64(r.Stats.Bytes) }},
	{"data_packets_total", "Source symbols sent for the first time.", counter, func(r *norm.SenderReport) float64 { return float64(r.Stats.DataPackets) }},
	{"repair_packets_total", "Symbols sent because they were asked for.", counter, func(r *norm.SenderReport) float64 { return float64(r.Stats.Repairs) }},
	{"nacks_received_total", "NACKs received.", counter, func(r *norm.SenderReport) float64 { return float64(r.Stats.Nacks) }},
	{"acks_received_total", "ACKs received.", counter, func(r *norm.SenderReport) float64 { return float64(r.Stats.Acks) }},
	{"commands_sent_total", "Messages with commands of the application sent, copies included.", counter, func(r *norm.SenderReport) float64 { return float64(r.Stats.Commands) }},
	{"questions_sent_total", "Messages with questions of the application sent, copies included.", counter, func(r *norm.SenderReport) float64 { return float64(r.Stats.Questions) }},
	{"malformed_total", "Messages received and not understood.", counter, func(r *norm.SenderReport) float64 { return float64(r.Stats.Malformed) }},
	{"grtt_seconds", "Group round-trip time as advertised.", gauge, func(r *norm.SenderReport) float64 { return r.Stats.GRTT.Seconds() }},
	{"receivers", "Receivers heard of.", gauge, func(r *norm.SenderReport) float64 { return float64(len(r.Receivers)) }},
	{"rate_bytes_per_second", "Sending rate, IP and UDP headers included; 0 is not limited.", gauge, func(r *norm.SenderReport) float64 { return float64(max(r.Rate, 0)) / 8 }},
	{"transfers", "Objects that are under way.", gauge, func(r *norm.SenderReport) (n float64) {
		for _, t := range r.Transfers {
			if !t.Done {
				n++
			}
		}
		return n
	}},
}

var receiverHeard = []metric[norm.ReceiverHeard]{
	{"receiver_rtt_seconds", "Round-trip time to a receiver; 0 is not known.", gauge, func(r *norm.ReceiverHeard) float64 { return r.RTT.Seconds() }},
	{"receiver_heard_timestamp_seconds", "When a receiver was last heard.", gauge, func(r *norm.ReceiverHeard) float64 { return float64(r.Heard.UnixMilli()) / 1000 }},
	{"receiver_acked", "Objects in the cache that a receiver has confirmed.", gauge, func(r *norm.ReceiverHeard) float64 { return float64(r.Acked) }},
}

var receiverMetrics = []metric[norm.ReceiverReport]{
	{"packets_received_total", "Messages received.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Packets) }},
	{"received_bytes_total", "UDP payload received.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Bytes) }},
	{"repairs_received_total", "Symbols received that were marked as repairs.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.RepairsReceived) }},
	{"recovered_total", "Source symbols computed from parity.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Recovered) }},
	{"duplicates_total", "Symbols received and not needed.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Duplicates) }},
	{"nacks_sent_total", "NACK messages sent.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Nacks) }},
	{"nacks_suppressed_total", "NACKs not sent because others had asked.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Suppressed) }},
	{"commands_total", "Commands of applications received, copies not counted.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Commands) }},
	{"questions_total", "Questions of applications received, copies not counted.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Questions) }},
	{"no_buffer_total", "Symbols dropped for want of memory.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.NoBuffer) }},
	{"malformed_total", "Messages received and not understood.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Malformed) }},
	{"refused_total", "Messages of senders, objects, commands or questions beyond the limits.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Refused) }},
	{"objects_received_total", "Objects received whole.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Storage.Received) }},
	{"objects_skipped_total", "Objects among them that were here already.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Storage.Skipped) }},
	{"objects_lost_total", "Objects begun and not delivered.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Storage.Lost) }},
	{"object_bytes_total", "Content of objects received.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Storage.Bytes) }},
	{"untaken_results_total", "Objects, sets and errors that nobody took and that gave way.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Untaken.Results) }},
	{"untaken_streams_total", "Streams that nobody accepted and that gave way.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Untaken.Streams) }},
	{"untaken_commands_total", "Commands that nobody took and that gave way.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Untaken.Commands) }},
	{"untaken_questions_total", "Questions that were not answered in time and gave way.", counter, func(r *norm.ReceiverReport) float64 { return float64(r.Stats.Untaken.Questions) }},
	{"objects", "Objects that are under way.", gauge, func(r *norm.ReceiverReport) float64 { return float64(len(r.Objects)) }},
	{"senders", "Senders followed.", gauge, func(r *norm.ReceiverReport) float64 { return float64(len(r.Senders)) }},
}

var senderHeard = []metric[norm.SenderHeard]{
	{"sender_rate_bytes_per_second", "What comes from a sender; 0 is not known.", gauge, func(s *norm.SenderHeard) float64 { return s.Rate / 8 }},
	{"sender_grtt_seconds", "Group round-trip time as a sender advertises it.", gauge, func(s *norm.SenderHeard) float64 { return s.GRTT.Seconds() }},
	{"sender_heard_timestamp_seconds", "When a sender was last heard.", gauge, func(s *norm.SenderHeard) float64 { return float64(s.Heard.UnixMilli()) / 1000 }},
	{"sender_receiving", "Objects of a sender that are under way.", gauge, func(s *norm.SenderHeard) float64 { return float64(s.Receiving) }},
}

// Sender returns a collector of a sender's report, with metrics named
// multicast_norm_sender_ and so on. labels tell it from others of the program. Metrics of
// single receivers have the label receiver; there are at most 1,024.
func Sender(s *norm.Sender, labels prometheus.Labels) *Collector {
	return collector("sender", "receiver", labels, senderMetrics, receiverHeard, s.Report,
		func(r *norm.SenderReport, each func(*norm.ReceiverHeard, ...string)) {
			for i := range r.Receivers {
				p := &r.Receivers[i]
				each(p, number(p.Node))
			}
		})
}

// Receiver returns a collector of a receiver's report, with metrics named
// multicast_norm_receiver_ and so on. Metrics of single senders have the labels sender
// and address; there are at most ReceiverConfig.MaxSenders.
func Receiver(r *norm.Receiver, labels prometheus.Labels) *Collector {
	return collector("receiver", "sender", labels, receiverMetrics, senderHeard, r.Report,
		func(r *norm.ReceiverReport, each func(*norm.SenderHeard, ...string)) {
			for i := range r.Senders {
				p := &r.Senders[i]
				each(p, number(p.Key.Node), p.Key.Addr.String())
			}
		}, "address")
}

func number(id norm.NodeID) string { return strconv.FormatUint(uint64(id), 10) }

func collector[R, P any](role, peer string, labels prometheus.Labels, own []metric[R], peers []metric[P], get func() *R, all func(*R, func(*P, ...string)), more ...string) *Collector {
	c := new(Collector)
	name := func(s string) string { return prometheus.BuildFQName("multicast_norm", role, s) }
	for _, m := range own {
		c.descs = append(c.descs, prometheus.NewDesc(name(m.name), m.help, nil, labels))
	}
	for _, m := range peers {
		c.descs = append(c.descs, prometheus.NewDesc(name(m.name), m.help, append([]string{peer}, more...), labels))
	}
	c.collect = func(ch chan<- prometheus.Metric) {
		r := get()
		for i, m := range own {
			ch <- prometheus.MustNewConstMetric(c.descs[i], m.kind, m.value(r))
		}
		all(r, func(p *P, values ...string) {
			for i, m := range peers {
				ch <- prometheus.MustNewConstMetric(c.descs[len(own)+i], m.kind, m.value(p), values...)
			}
		})
	}
	return c
}
