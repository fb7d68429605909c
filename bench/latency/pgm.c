// pgm measures OpenPGM with small messages, in the sense of latency.h, over UDP, with
// a short back-off before a NAK; its INTERFACE is an address.
#define _GNU_SOURCE
#include "latency.h"

#include <poll.h>
#include <unistd.h>

#include <pgm/pgm.h>

enum { window = 40000, encapsulation = 3055 };

static pgm_sock_t *sock;

static void set(int option, int value)
{
	if (!pgm_setsockopt(sock, IPPROTO_PGM, option, &value, sizeof value)) fprintf(stderr, "option %d is refused\n", option);
}

static void fail(const char *what, pgm_error_t *e)
{
	fprintf(stderr, "%s: %s\n", what, e ? e->message : "failed");
	exit(1);
}

static void begin(const struct job *j, int sends)
{
	pgm_error_t *e = NULL;
	if (!pgm_init(&e)) fail("pgm_init", e);
	char network[100];
	snprintf(network, sizeof network, "%s;%s", j->device, j->group);
	struct pgm_addrinfo_t *at = NULL;
	if (!pgm_getaddrinfo(network, NULL, &at, &e)) fail("pgm_getaddrinfo", e);
	if (!pgm_socket(&sock, AF_INET, SOCK_SEQPACKET, IPPROTO_UDP, &e)) fail("pgm_socket", e);
	set(PGM_UDP_ENCAP_UCAST_PORT, encapsulation);
	set(PGM_UDP_ENCAP_MCAST_PORT, encapsulation);
	set(PGM_IP_ROUTER_ALERT, 0);
	set(PGM_MTU, 1500);
	if (sends) {
		int beats[] = {pgm_msecs(20), pgm_msecs(20), pgm_msecs(50), pgm_msecs(100), pgm_msecs(200), pgm_msecs(500), pgm_secs(1), pgm_secs(5)};
		set(PGM_SEND_ONLY, 1);
		set(PGM_TXW_SQNS, window);
		set(PGM_TXW_MAX_RTE, 25000000);
		set(PGM_AMBIENT_SPM, pgm_secs(8));
		pgm_setsockopt(sock, IPPROTO_PGM, PGM_HEARTBEAT_SPM, beats, sizeof beats);
	} else {
		set(PGM_RECV_ONLY, 1);
		set(PGM_PASSIVE, 0);
		set(PGM_RXW_SQNS, window);
		set(PGM_PEER_EXPIRY, pgm_secs(60));
		set(PGM_SPMR_EXPIRY, pgm_msecs(50));
		set(PGM_NAK_BO_IVL, pgm_msecs(2));
		set(PGM_NAK_RPT_IVL, pgm_msecs(10));
		set(PGM_NAK_RDATA_IVL, pgm_msecs(10));
		set(PGM_NAK_DATA_RETRIES, 200);
		set(PGM_NAK_NCF_RETRIES, 200);
	}
	struct pgm_sockaddr_t local = {.sa_port = j->port};
	char id[40];
	snprintf(id, sizeof id, "%d %lld", getpid(), (long long)clock_ns());
	pgm_gsi_create_from_string(&local.sa_addr.gsi, id, -1);
	struct pgm_interface_req_t via = {.ir_interface = at->ai_recv_addrs[0].gsr_interface};
	memcpy(&via.ir_address, &at->ai_send_addrs[0].gsr_addr, sizeof via.ir_address);
	if (!pgm_bind3(sock, &local, sizeof local, &via, sizeof via, &via, sizeof via, &e)) fail("pgm_bind3", e);
	for (unsigned i = 0; i < at->ai_recv_addrs_len; i++)
		pgm_setsockopt(sock, IPPROTO_PGM, PGM_JOIN_GROUP, &at->ai_recv_addrs[i], sizeof(struct pgm_group_source_req));
	pgm_setsockopt(sock, IPPROTO_PGM, PGM_SEND_GROUP, &at->ai_send_addrs[0], sizeof(struct pgm_group_source_req));
	pgm_freeaddrinfo(at);
	set(PGM_MULTICAST_LOOP, 0);
	set(PGM_MULTICAST_HOPS, 1);
	set(PGM_NOBLOCK, 1);
	if (!pgm_connect(sock, &e)) fail("pgm_connect", e);
}

// rest waits for the socket, or as long as the library or the caller wants.
static void rest(int status, int64_t most)
{
	if (status == PGM_IO_STATUS_TIMER_PENDING || status == PGM_IO_STATUS_RATE_LIMITED) {
		struct timeval tv;
		socklen_t n = sizeof tv;
		pgm_getsockopt(sock, IPPROTO_PGM, status == PGM_IO_STATUS_RATE_LIMITED ? PGM_RATE_REMAIN : PGM_TIME_REMAIN, &tv, &n);
		int64_t ns = tv.tv_sec * 1000000000LL + tv.tv_usec * 1000LL;
		if (ns < most) most = ns;
	}
	struct pollfd p[8];
	int n = 8;
	pgm_poll_info(sock, p, &n, POLLIN);
	struct timespec t = {most / 1000000000, most % 1000000000};
	ppoll(p, n, &t, NULL);
}

// answer takes what receivers ask for: the library answers within.
static void answer(void)
{
	for (int i = 0; i < 16; i++) {
		struct pgm_msgv_t m[8];
		size_t n;
		pgm_error_t *e = NULL;
		int status = pgm_recvmsgv(sock, m, 8, MSG_DONTWAIT, &n, &e);
		if (e) pgm_error_free(e);
		if (status != PGM_IO_STATUS_NORMAL) return;
	}
}

static void serve_until(int64_t end)
{
	for (answer(); clock_ns() < end; answer()) {
		int64_t left = end - clock_ns();
		if (left > 0) rest(-1, left);
	}
}

static int sender(const struct job *j)
{
	char *message = calloc(1, j->bytes);
	int64_t first = clock_ns();
	for (long i = 0; i < j->messages; i++) {
		serve_until(due(j, first, i));
		stamp(message, i);
		int status;
		size_t n;
		while ((status = pgm_send(sock, message, j->bytes, &n)) != PGM_IO_STATUS_NORMAL) {
			if (status == PGM_IO_STATUS_ERROR) fail("pgm_send", NULL);
			answer();
			rest(status, 1000000);
		}
	}
	serve_until(clock_ns() + 2000000000LL);
	return 0;
}

static int receiver(const struct job *j)
{
	puts("READY");
	fflush(stdout);
	int last = 0;
	for (int64_t end = over(j); !last && clock_ns() < end;) {
		struct pgm_msgv_t m[64];
		size_t bytes = 0;
		pgm_error_t *e = NULL;
		int status = pgm_recvmsgv(sock, m, 64, 0, &bytes, &e);
		if (e) pgm_error_free(e);
		if (status == PGM_IO_STATUS_FIN || status == PGM_IO_STATUS_EOF) break;
		if (status != PGM_IO_STATUS_NORMAL) {
			if (status != PGM_IO_STATUS_RESET) rest(status, 100000000);
			continue;
		}
		for (int i = 0; i < 64 && bytes > 0; i++) {
			const struct pgm_sk_buff_t *b = m[i].msgv_skb[0];
			last |= note(j, (const char *)b->data);
			bytes -= b->len < bytes ? b->len : bytes;
		}
	}
	tell(j);
	return 0;
}

int main(int argc, char **argv)
{
	struct job j;
	int sends = parse_job(&j, argc, argv);
	begin(&j, sends);
	return sends ? sender(&j) : receiver(&j);
}
