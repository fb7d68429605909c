package fcast_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/fcast"
	"github.com/gomulticast/multicast/rmt/flute"
)

// A carousel of one object, over ALC, and a receiver that leaves when it has all.
func ExampleSender() {
	network := mcasttest.New(1)
	tx, _ := network.Open("239.1.1.1:6003")
	rx, _ := network.Open("239.1.1.1:6003")
	ctx := context.Background()

	r, err := fcast.NewALCReceiver(rx, flute.ReceiverConfig{}, fcast.ReceiverConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	s, err := fcast.NewALCSender(tx, flute.SenderConfig{}, fcast.SenderConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	if _, err := s.Add(ctx, strings.NewReader("hello"), 5, fcast.Metadata{ContentLocation: "greeting.txt"}); err != nil {
		fmt.Println(err)
		return
	}
	s.Complete()

	for o, err := range r.Objects(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %s\n", o.Metadata.ContentLocation, o.Data)
	}
	// Output: greeting.txt: hello
}

// An object with its metadata in front of it, taken apart as it comes.
func Example() {
	data := []byte("hello")
	m := fcast.Metadata{ContentLocation: "http://example.com/hello.txt", ContentLength: 5, HasContentLength: true}
	text, err := m.Append(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	object, err := (&fcast.Header{Metadata: text}).Append(nil, len(data) > 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	object = append(object, data...) // what ALC or NORM carries

	r := fcast.NewReader(int64(len(object)), fcast.Limits{})
	for _, piece := range [][]byte{object[:20], object[20:71], object[71:]} {
		data, err := r.Next(piece)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%q\n", data)
	}
	h, _ := r.Header()
	got, err := h.ParseMetadata(fcast.Limits{})
	fmt.Println(got.ContentLocation, err, r.Done())
	// Output:
	// ""
	// ""
	// "hello"
	// http://example.com/hello.txt <nil> true
}
