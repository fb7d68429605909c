//go:build ignore
// (for the go command, which else takes C++ for cgo)

// normpeer_send.cpp: normpeer as a sender.

#include "normpeer.h"

#include <sys/stat.h>

// A Sending is a run of normpeer send.
struct Sending {
	const Config &c;
	NormInstanceHandle instance;
	NormSessionHandle session;
	double deadline;
	std::vector<NormObjectHandle> handles;

	bool report(bool last);
	bool confirm();
	void wait(double time);
	bool stream(const std::string &path, bool messages, const std::string &info);
	bool write(NormObjectHandle h, const char *data, size_t n);
	bool command(const std::string &text, bool robust);
	int finish();
};

// report prints what each acking node did and returns whether all of them did it.
bool Sending::report(bool last)
{
	bool all = true;
	NormNodeId node = NORM_NODE_NONE;
	NormAckingStatus status;
	while (NormGetNextAckingNode(session, &node, &status)) {
		if (status != NORM_ACK_SUCCESS) all = false;
		else continue;
		if (last) say("UNACKED %u", (unsigned)node);
	}
	if (!all && !last) return false;
	node = NORM_NODE_NONE;
	while (NormGetNextAckingNode(session, &node, &status))
		if (status == NORM_ACK_SUCCESS) say("ACKED %u", (unsigned)node);
	return all;
}

// confirm waits until the watermark that was set is acknowledged by all.
bool Sending::confirm()
{
	NormEvent event;
	for (int retries = 0; next(instance, event, deadline);) {
		if (event.type != NORM_TX_WATERMARK_COMPLETED) continue;
		if (report(retries == c.retries)) return true;
		if (retries++ >= c.retries) return false;
		NormResetWatermark(session);
	}
	report(true);
	return false;
}

// wait lets time pass.
void Sending::wait(double time)
{
	NormEvent event;
	for (double until = seconds() + time; time > 0 && next(instance, event, until);) {}
}

// write writes all of data to a stream, waiting for room.
bool Sending::write(NormObjectHandle h, const char *data, size_t n)
{
	for (size_t done = 0; done < n;) {
		done += NormStreamWrite(h, data + done, n - done);
		if (done == n) break;
		// The events that tell of room are not always there: look again soon.
		NormEvent event;
		next(instance, event, seconds() + 0.01);
		if (deadline && seconds() > deadline) return false;
	}
	return true;
}

// stream writes a file to a stream, as bytes or as the records that it consists of.
bool Sending::stream(const std::string &path, bool messages, const std::string &info)
{
	std::vector<char> all = slurp(path);
	NormObjectHandle h = NormStreamOpen(session, c.streamBuffer, info.data(), info.size());
	if (h == NORM_OBJECT_INVALID) die("NormStreamOpen failed");
	NormObjectRetain(h);
	handles.push_back(h);
	NormStreamSetAutoFlush(h, c.flush);
	NormStreamSetPushEnable(h, c.push);
	say("QUEUED %s %zu %s", messages ? "messages" : "stream", all.size(), path.c_str());
	size_t marked = 0;
	for (size_t at = 0; at < all.size();) {
		size_t n = messages ? record(&all[at], all.size() - at) : 0;
		if (messages && n == 0) die("not made of records:", path.c_str());
		if (!messages) n = all.size() - at < (size_t)c.chunk ? all.size() - at : c.chunk;
		if (!write(h, &all[at], n)) return false;
		if (messages) NormStreamMarkEom(h);
		at += n;
		if (c.mark && at - marked >= (size_t)c.mark) {
			marked = at;
			NormStreamFlush(h, false, NORM_FLUSH_ACTIVE);
			NormSetWatermark(session, h, true);
			if (!confirm()) return false;
			say("MARKED %zu", at);
		}
		wait(c.pause);
	}
	say("WRITTEN %zu", all.size());
	if (c.abrupt) NormStreamFlush(h, false, NORM_FLUSH_ACTIVE);
	if (c.abrupt) wait(c.linger);
	NormStreamClose(h, !c.abrupt);
	return true;
}

// command sends a command and waits until it was sent as often as it should.
bool Sending::command(const std::string &text, bool robust)
{
	if (!NormSendCommand(session, text.data(), text.size(), robust)) die("cannot send command", text.c_str());
	NormEvent event;
	while (next(instance, event, deadline))
		if (event.type == NORM_TX_CMD_SENT) {
			say("COMMANDED %s", text.c_str());
			return true;
		}
	return false;
}

// finish waits until everybody has everything, or had the chance to ask for it.
int Sending::finish()
{
	if (handles.empty()) return 0;
	if (!c.ackers.empty()) {
		NormSetWatermark(session, handles.back(), true);
		return confirm() ? 0 : 3;
	}
	NormEvent event;
	while (next(instance, event, deadline)) {
		if (event.type == NORM_TX_OBJECT_SENT) {
			for (size_t i = 0; i < handles.size(); i++)
				if (handles[i] == event.object) say("SENT %zu", i);
		} else if (event.type == NORM_TX_FLUSH_COMPLETED) {
			say("FLUSHED");
			return 0;
		}
	}
	return 3;
}

int runSend(const Config &c, NormInstanceHandle instance, NormSessionHandle session, char **objects, int n)
{
	NormSetTxRate(session, c.rate);
	if (c.grtt > 0) NormSetGrttEstimate(session, c.grtt);
	if (c.backoff >= 0) NormSetBackoffFactor(session, c.backoff);
	NormSetGroupSize(session, c.gsize);
	NormSetTxRobustFactor(session, c.robust);
	NormSetTxLoss(session, c.txloss);
	NormLimitObjectInfo(session, c.infoOnly);
	if (c.cc) NormSetCongestionControl(session, true, true);
	for (NormNodeId id : c.ackers) NormAddAckingNode(session, id);
	if (!NormStartSender(session, c.instance, (UINT32)c.buffer << 20, c.segment, c.block, c.parity, c.fec)) die("NormStartSender failed");
	NormSetRxLoss(session, c.rxloss);
	NormSetAutoParity(session, c.automatic);
	NormSetTxCacheBounds(session, (NormSize)1 << 40, 1, n + 1);
	say("READY");

	Sending s = {c, instance, session, c.seconds ? seconds() + c.seconds : 0, {}};
	std::vector<std::vector<char>> kept(n); // libnorm does not copy data objects
	bool ok = true;
	for (int i = 0; i < n && ok; i++) {
		std::string object = objects[i], path = object.substr(object.find(':') + 1), kind = object.substr(0, object.find(':'));
		std::string info = c.info.empty() ? path.substr(path.rfind('/') + 1) : c.info;
		NormObjectHandle h = NORM_OBJECT_INVALID;
		struct stat st;
		if (stat(path.c_str(), &st)) die("no such file:", path.c_str());
		if (kind == "stream" || kind == "messages") {
			ok = s.stream(path, kind == "messages", info);
			continue;
		} else if (kind == "file") {
			h = NormFileEnqueue(session, path.c_str(), info.data(), info.size());
		} else if (kind == "data") {
			kept[i] = slurp(path);
			h = NormDataEnqueue(session, kept[i].data(), kept[i].size(), info.data(), info.size());
		} else {
			die("neither file: nor data:, stream: or messages:", object.c_str());
		}
		if (h == NORM_OBJECT_INVALID) die("cannot enqueue", object.c_str());
		NormObjectRetain(h);
		s.handles.push_back(h);
		say("QUEUED %s %lld %s", kind.c_str(), (long long)st.st_size, path.c_str());
		if (i + 1 < n) s.wait(c.pause);
	}
	for (auto &command : c.commands) {
		ok = ok && s.command(command.first, command.second);
		s.wait(c.pause);
	}
	int code = ok ? s.finish() : 3;
	// The library still answers repair requests until the sender is stopped.
	s.wait(c.linger);
	NormStopSender(session);
	say("END");
	return code;
}
