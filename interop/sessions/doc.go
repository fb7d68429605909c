// Package sessions tests the sap and sdp packages against programs that announce
// sessions and list them: VLC, FFmpeg, minisapserver and PulseAudio, and tshark as a
// reader of what ours sends. It works in network namespaces, which need root.
package sessions
