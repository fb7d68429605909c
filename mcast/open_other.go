//go:build !linux

package mcast

func openSocket(cfg *config, m *members, count *counters) (socket, error) {
	return openPortable(cfg, m, count)
}
