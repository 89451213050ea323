/* The sender of `bench messaging` over Corosync's CPG, after cpg_initialize(3), cpg_mcast_joined(3) and their kin.
 *
 *     cpg HOSTS       joins a group, prints "ready" when it has HOSTS members, then takes orders from standard input:
 *     flood SIZE MS   sends as fast as flow control allows; answers "flood MESSAGES NANOSECONDS"
 *     echo SIZE N     one message at a time; answers "echo P50 P99", nanoseconds to the own delivery
 *
 * With 0 hosts it ends as soon as the daemon has answered. It ends when its input does. */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static cpg_handle_t handle;
static int handle_fd;
static unsigned int own_node, own_pid;
static uint64_t returned;
static size_t members, wanted;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void delivered(cpg_handle_t h, const struct cpg_name *group, uint32_t node, uint32_t pid, void *message,
		      size_t length)
{
	(void)h, (void)group, (void)message, (void)length;
	if (node == own_node && pid == own_pid)
		returned++;
}

static void changed(cpg_handle_t h, const struct cpg_name *group, const struct cpg_address *list, size_t entries,
		    const struct cpg_address *left, size_t left_entries, const struct cpg_address *joined,
		    size_t joined_entries)
{
	(void)h, (void)group, (void)list, (void)left, (void)left_entries, (void)joined, (void)joined_entries;
	members = entries;
}

static void must(cs_error_t result, const char *what)
{
	if (result != CS_OK) {
		fprintf(stderr, "%s: error %d\n", what, (int)result);
		exit(1);
	}
}

/* Takes what has come; waits up to `ms` for it, or for an order if there is nothing else to do. */
static void turn(int ms, int for_orders)
{
	struct pollfd waits[2] = {{handle_fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};

	poll(waits, for_orders ? 2 : 1, ms);
	must(cpg_dispatch(handle, CS_DISPATCH_ALL), "cpg_dispatch");
}

static void flood(struct iovec *message, uint64_t ms)
{
	uint64_t sent = 0, begun = now(), until = begun + ms * 1000000u;

	returned = 0;
	while (now() < until) {
		cs_error_t result = cpg_mcast_joined(handle, CPG_TYPE_AGREED, message, 1);

		if (result == CS_OK)
			sent++;
		else if (result != CS_ERR_TRY_AGAIN)
			must(result, "cpg_mcast_joined");
		turn(result == CS_OK ? 0 : 1, 0);
	}
	while (returned < sent)
		turn(10, 0);
	printf("flood %llu %llu\n", (unsigned long long)returned, (unsigned long long)(now() - begun));
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void echo(struct iovec *message, size_t count)
{
	uint64_t *times = calloc(count, sizeof *times);

	for (size_t i = 0; times && i < count; i++) {
		uint64_t begun = now();

		returned = 0;
		while (cpg_mcast_joined(handle, CPG_TYPE_AGREED, message, 1) == CS_ERR_TRY_AGAIN)
			turn(1, 0);
		while (!returned)
			turn(1000, 0);
		times[i] = now() - begun;
	}
	qsort(times, count, sizeof *times, ascending);
	printf("echo %llu %llu\n", (unsigned long long)times[count / 2], (unsigned long long)times[count * 99 / 100]);
	free(times);
}

static int order(const char *line)
{
	char what[16];
	unsigned long size, number;

	if (sscanf(line, "%15s %lu %lu", what, &size, &number) != 3 || !number)
		return -1;
	struct iovec message = {calloc(1, size), size};
	if (!message.iov_base)
		return -1;
	if (!strcmp(what, "flood"))
		flood(&message, number);
	else
		echo(&message, number);
	free(message.iov_base);
	fflush(stdout);
	return 0;
}

int main(int count, char **words)
{
	cpg_callbacks_t callbacks = {delivered, changed};
	struct cpg_name group = {5, "bench"};
	char line[128];

	wanted = count > 1 ? strtoul(words[1], NULL, 10) : 0;
	own_pid = (unsigned int)getpid();
	must(cpg_initialize(&handle, &callbacks), "cpg_initialize");
	must(cpg_local_get(handle, &own_node), "cpg_local_get");
	if (!wanted)
		return 0;
	must(cpg_fd_get(handle, &handle_fd), "cpg_fd_get");
	must(cpg_join(handle, &group), "cpg_join");
	while (members < wanted)
		turn(100, 0);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd input = {STDIN_FILENO, POLLIN, 0};

		while (!poll(&input, 1, 0))
			turn(100, 1);
		if (!fgets(line, sizeof line, stdin))
			return 0;
		if (order(line)) {
			fprintf(stderr, "what is %s?\n", line);
			return 1;
		}
	}
}
