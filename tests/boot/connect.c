/*
 * A real MPTCP connection over loopback, for a machine that holds nothing
 * else: busybox cannot open such sockets.
 *
 *   connect ADDRESS PORT SUBFLOWS [COMMAND…]
 *
 * Listens on every address, connects to ADDRESS, sends some bytes each way,
 * waits until SUBFLOWS further subflows have joined, runs COMMAND while the
 * connection is up, closes. Prints one line: what came about. Ends with
 * status 0 if the connection is MPTCP and has at least SUBFLOWS of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define SOL_MPTCP_LEVEL 284 /* linux/mptcp.h of 5.16: the level of MPTCP_INFO */
#define INFO_OPTION 1
#define INFO_FALLBACK 1 /* first bit of mptcpi_flags */
#define PATIENCE 20     /* seconds; an emulated machine is slow */

/* The beginning of struct mptcp_info, uapi linux/mptcp.h. */
struct info {
    unsigned char subflows, add_addr_signal, add_addr_accepted, subflows_max, add_addr_signal_max,
        add_addr_accepted_max;
    unsigned int flags;
};

static int fail(const char *what) {
    printf("%s: %s\n", what, strerror(errno));
    return 1;
}

static int pass(int from, int to) {
    static const char words[] = "one hundred and more bytes that travel over whichever subflow the scheduler likes";
    char space[sizeof words];
    size_t had = 0;

    if (write(to, words, sizeof words) != sizeof words)
        return -1;
    while (had < sizeof words) {
        struct pollfd wait = {.fd = from, .events = POLLIN};
        ssize_t n;

        if (poll(&wait, 1, PATIENCE * 1000) != 1)
            return -1;
        n = read(from, space + had, sizeof words - had);
        if (n <= 0)
            return -1;
        had += n;
    }
    return memcmp(words, space, sizeof words);
}

int main(int argc, char **argv) {
    struct sockaddr_in here = {.sin_family = AF_INET}, there = {.sin_family = AF_INET};
    struct info info = {0};
    int listener, client, server, one = 1, wanted, status = 0;
    time_t end;

    if (argc < 4 || inet_pton(AF_INET, argv[1], &there.sin_addr) != 1) {
        puts("connect ADDRESS PORT SUBFLOWS [COMMAND]");
        return 2;
    }
    here.sin_port = there.sin_port = htons((unsigned short)atoi(argv[2]));
    wanted = atoi(argv[3]);

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
    if (listener < 0)
        return fail("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 4))
        return fail("listen");
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
    if (client < 0 || connect(client, (struct sockaddr *)&there, sizeof there))
        return fail("connect");
    server = accept(listener, NULL, NULL);
    if (server < 0)
        return fail("accept");

    /* Subflows are opened once the connection is established for good, which
     * takes data in both directions. */
    for (end = time(NULL) + PATIENCE;;) {
        socklen_t length = sizeof info;

        if (pass(server, client) || pass(client, server))
            return fail("transfer");
        if (getsockopt(client, SOL_MPTCP_LEVEL, INFO_OPTION, &info, &length))
            return fail("not MPTCP");
        if (info.flags & INFO_FALLBACK) {
            puts("fell back to TCP");
            return 1;
        }
        if (info.subflows >= wanted || time(NULL) >= end)
            break;
        poll(NULL, 0, 10);
    }
    if (argc > 4) {
        pid_t child = fork();

        if (child == 0) {
            execvp(argv[4], argv + 4);
            _exit(127);
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
            return fail("command");
    }
    close(client);
    close(server);
    close(listener);
    printf("MPTCP, %s further subflows\n", info.subflows >= wanted ? "enough" : "too few");
    return info.subflows >= wanted ? (WIFEXITED(status) ? WEXITSTATUS(status) : 1) : 1;
}
