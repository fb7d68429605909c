package fcast_test

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fcast"
)

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
