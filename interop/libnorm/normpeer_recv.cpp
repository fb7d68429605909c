//go:build ignore
// (for the go command, which else takes C++ for cgo)

// normpeer_recv.cpp: normpeer as a receiver.

#include "normpeer.h"

#include <stdio.h>

#include <map>

// A Reading is a stream being received into a file.
struct Reading {
	std::string path;
	FILE *file;
	bool messages;
	bool synced;           // (messages) the next byte begins one
	std::vector<char> msg; // (messages) the one being read
	long long size;

	void read(NormObjectHandle h);
	bool data(const char *p, size_t n);
};

// data takes what was read: bytes go to the file, messages as soon as they are whole. It
// returns false when these are not records.
bool Reading::data(const char *p, size_t n)
{
	if (messages) {
		msg.insert(msg.end(), p, p + n);
		n = record(msg.data(), msg.size());
		if (n == 0) return true;
		if (n != msg.size()) return false;
		p = msg.data();
	}
	if (fwrite(p, 1, n, file) != n) die("cannot write", path.c_str());
	size += n;
	msg.clear();
	return true;
}

// read reads all there is.
void Reading::read(NormObjectHandle h)
{
	char buf[1 << 16];
	for (;;) {
		if (messages && !synced) {
			if (!NormStreamSeekMsgStart(h)) return;
			synced = true;
			say("SYNCED %lld", size);
		}
		// Of a message first its length, and then as much as that says.
		unsigned n = sizeof buf;
		if (messages) {
			const unsigned char *m = (const unsigned char *)msg.data();
			size_t left = msg.size() < 4 ? 4 - msg.size()
			                             : 4 + ((size_t)m[0] << 24 | m[1] << 16 | m[2] << 8 | m[3]) - msg.size();
			if (left < n) n = left;
		}
		if (!NormStreamRead(h, buf, &n)) {
			say("BREAK %lld", size);
			synced = false;
			msg.clear();
			continue;
		}
		if (n == 0) return;
		if (!data(buf, n)) die("these are no messages");
	}
}

static const char *typeOf(NormObjectHandle h)
{
	if (h == NORM_OBJECT_INVALID) return "none";
	switch (NormObjectGetType(h)) {
	case NORM_OBJECT_FILE: return "file";
	case NORM_OBJECT_DATA: return "data";
	case NORM_OBJECT_STREAM: return "stream";
	default: return "none";
	}
}

// keep puts a complete object at path.
static void keep(NormObjectHandle h, const std::string &path)
{
	if (NormObjectGetType(h) == NORM_OBJECT_FILE) {
		char temporary[4096];
		if (!NormFileGetName(h, temporary, sizeof temporary) || rename(temporary, path.c_str())) die("cannot rename to", path.c_str());
		return;
	}
	size_t size = NormObjectGetSize(h);
	FILE *f = fopen(path.c_str(), "wb");
	if (!f || fwrite(NormDataAccessData(h), 1, size, f) != size || fclose(f)) die("cannot write", path.c_str());
}

int runRecv(const Config &c, NormInstanceHandle instance, NormSessionHandle session)
{
	if (!NormSetCacheDirectory(instance, c.dir.c_str())) die("cannot use directory", c.dir.c_str());
	NormSetDefaultUnicastNack(session, c.unicast);
	NormSetDefaultRxRobustFactor(session, c.robust);
	NormSetDefaultSyncPolicy(session, c.sync);
	if (c.silent) NormSetSilentReceiver(session, true, c.delay);
	if (!NormStartReceiver(session, (UINT32)c.buffer << 20)) die("NormStartReceiver failed");
	NormSetRxSocketBuffer(session, 4 << 20);
	NormSetRxLoss(session, c.rxloss);
	NormSetTxLoss(session, c.txloss);
	say("READY");

	double deadline = c.seconds ? seconds() + c.seconds : 0;
	int done = 0, begun = 0;
	bool commanded = false;
	std::map<NormObjectHandle, Reading> streams;
	NormEvent event;
	for (;;) {
		if (!next(instance, event, seconds() + 0.2)) {
			if (deadline && seconds() >= deadline) break;
			// Behind a gap there is not always an event.
			for (auto &s : streams) s.second.read(s.first);
			continue;
		}
		const char *type = typeOf(event.object);
		std::string path = c.dir + "/object-" + std::to_string(begun);
		long long size = 0;
		auto reading = streams.find(event.object);
		switch (event.type) {
		case NORM_REMOTE_SENDER_NEW: say("SENDER %u", (unsigned)NormNodeGetId(event.sender)); break;
		case NORM_REMOTE_SENDER_RESET: say("RESET %u", (unsigned)NormNodeGetId(event.sender)); break;
		case NORM_REMOTE_SENDER_INACTIVE: say("INACTIVE %u", (unsigned)NormNodeGetId(event.sender)); break;
		case NORM_RX_CMD_NEW: {
			// One for each event: libnorm 1.5.9 does not unlink the buffers that it uses
			// again. Once it has had two unread it gives out some again, without end to whoever
			// reads until there is none, and frees them twice.
			char text[8192];
			unsigned n = sizeof text;
			commanded = true;
			if (NormNodeGetCommand(event.sender, text, &n))
				say("COMMAND %u %.*s", (unsigned)NormNodeGetId(event.sender), (int)n, text);
			break;
		}
		case NORM_RX_OBJECT_NEW:
			say("NEW %s %lld", type, (long long)NormObjectGetSize(event.object));
			if (NormObjectGetType(event.object) == NORM_OBJECT_STREAM) {
				FILE *f = fopen(path.c_str(), "wb");
				if (!f) die("cannot write", path.c_str());
				streams[event.object] = Reading{path, f, c.messages, false, {}, 0};
				begun++;
			}
			break;
		case NORM_RX_OBJECT_INFO: {
			std::vector<char> info(NormObjectGetInfoLength(event.object));
			NormObjectGetInfo(event.object, info.data(), info.size());
			say("INFO %.*s", (int)info.size(), info.data());
			break;
		}
		case NORM_RX_OBJECT_UPDATED:
			if (reading != streams.end()) reading->second.read(event.object);
			break;
		case NORM_RX_OBJECT_ABORTED:
		case NORM_RX_OBJECT_COMPLETED: {
			bool complete = event.type == NORM_RX_OBJECT_COMPLETED;
			if (reading != streams.end()) {
				if (fclose(reading->second.file)) die("cannot write", reading->second.path.c_str());
				size = reading->second.size;
				path = reading->second.path;
				streams.erase(reading);
			} else if (complete) {
				size = NormObjectGetSize(event.object);
				keep(event.object, path);
				begun++;
			}
			say("%s %s %lld %s", complete ? "DONE" : "ABORTED", type, size, path.c_str());
			if (complete && ++done == c.count) deadline = seconds() + c.linger;
			break;
		}
		default: break;
		}
	}
	if (!commanded) NormStopReceiver(session);
	say("END");
	return done < c.count ? 3 : 0;
}
