//go:build !linux

package mcast

func newWatch(is4 bool) (watcher, error) {
	return newPollWatch(func() ([]linkEvent, error) { return listLinks(is4) }, pollInterval), nil
}
