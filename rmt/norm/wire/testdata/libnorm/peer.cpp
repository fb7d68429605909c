// peer: the libnorm sender and receiver behind the captures in this directory.
//   peer send IF FECID SEGMENT BLOCK PARITY file|stream|cancel|cc [SIZE]
//   peer recv IF unicast|multicast
#include <normApi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int c, char **v)
{
	NormInstanceHandle in = NormCreateInstance();
	bool send = !strcmp(v[1], "send");
	NormSessionHandle s = NormCreateSession(in, "239.77.1.2", 6003, send ? 1 : 11);
	NormSetMulticastInterface(s, v[2]);
	NormSetTTL(s, 1);
	NormEvent e;
	if (!send) {
		NormSetDefaultUnicastNack(s, !strcmp(v[3], "unicast"));
		NormSetDefaultSyncPolicy(s, NORM_SYNC_STREAM);
		NormSetCacheDirectory(in, "/tmp/");
		NormStartReceiver(s, 1 << 20);
		puts("READY");
		fflush(stdout);
		while (NormGetNextEvent(in, &e, true)) {
			char buf[4096];
			unsigned n = sizeof buf;
			if (e.type == NORM_RX_OBJECT_UPDATED && NormObjectGetType(e.object) == NORM_OBJECT_STREAM)
				while (NormStreamRead(e.object, buf, &n) && n) n = sizeof buf;
			if (e.type == NORM_RX_OBJECT_COMPLETED) { puts("DONE"); fflush(stdout); }
		}
		return 0;
	}
	int fec = atoi(v[3]), seg = atoi(v[4]), k = atoi(v[5]), n = atoi(v[6]);
	bool stream = !strcmp(v[7], "stream");
	NormSetTxRate(s, 2e6);
	NormSetGrttEstimate(s, 0.005);
	NormSetGroupSize(s, 10);
	NormSetTxRobustFactor(s, 3);
	NormSetCongestionControl(s, !strcmp(v[7], "cc"), false);
	if (!NormStartSender(s, 0x4e4f, 1 << 20, seg, k, n, fec)) return 1;
	NormAddAckingNode(s, 11);
	static char data[6000];
	for (unsigned i = 0; i < sizeof data; i++) data[i] = i >> 3 ^ i;
	NormSendCommand(s, "command", 7);
	NormObjectHandle o;
	if (stream) {
		o = NormStreamOpen(s, 1 << 16, "a stream", 8);
		for (int i = 0; i < 20; i++) {
			NormStreamWrite(o, data + 100 * i, 100);
			NormStreamMarkEom(o);
			if (i % 5 == 4) NormStreamFlush(o, true);
			usleep(3000);
		}
		NormSetWatermark(s, o, true);
		NormStreamClose(o, true);
	} else if (!strcmp(v[7], "cancel")) {
		NormObjectHandle a[6];
		for (int i = 0; i < 6; i++) a[i] = NormDataEnqueue(s, data, 500, "gone", 4);
		o = a[5];
		NormSetWatermark(s, o, true);
		usleep(15000);
		for (int i = 0; i < 5; i += 2) NormObjectCancel(a[i]);
	} else {
		NormDataEnqueue(s, data, 500, "one", 3);
		FILE *f = fopen("/tmp/peer.bin", "w");
		fwrite(data, 1, c > 8 ? atoi(v[8]) : sizeof data, f);
		fclose(f);
		o = NormFileEnqueue(s, "/tmp/peer.bin", "file.bin", 8);
		NormSetWatermark(s, o, true);
	}
	for (int i = 0; i < 40 && NormGetNextEvent(in, &e, true); i++) {
		printf("event %d\n", e.type);
		if (e.type == NORM_TX_WATERMARK_COMPLETED) break;
	}
	usleep(100000);
	NormStopSender(s);
	usleep(100000);
	fflush(stdout);
	_exit(0);
}
