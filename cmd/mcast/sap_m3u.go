package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomulticast/multicast/sap"
	"github.com/gomulticast/multicast/sdp"
)

// writePlaylist replaces a playlist as a whole, so that no player reads half of one.
func writePlaylist(path string, all []sap.Listing) (err error) {
	sortByName(all)
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(playlist(all)); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil { // CreateTemp keeps it from others
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// playlist writes an entry for each thing to join: its name, behind it the kind of media
// if the session has several, and the URL.
func playlist(all []sap.Listing) []byte {
	b := bytes.NewBufferString("#EXTM3U\n")
	for i := range all {
		chs := all[i].Channels()
		for _, ch := range chs {
			name := title(all[i].Description.Name(), 200)
			if m, ok := all[i].Description.MediaAt(ch.Media); ok && all[i].Description.NumMedia() > 1 {
				name += " (" + title(m.Kind, nameWidth) + ")"
			}
			fmt.Fprintf(b, "#EXTINF:-1,%s\n%s\n", name, playURL(ch))
		}
	}
	return b.Bytes()
}

// playURL writes what players open. VLC takes the sender before an @, and a udp:// group
// only behind one.
func playURL(ch sdp.Channel) string {
	if t := ch.Target(); t.Scheme != "udp" || ch.Source.IsValid() {
		return t.String()
	}
	t := ch.Target()
	t.Scheme = ""
	return "udp://@" + t.String()
}
