// SPDX-License-Identifier: Apache-2.0
// The floor of a tick to trade: one epoll loop, a frame in, a scan for the price, two averages, an
// HTTP order out. Arguments: port of the socket, port of the orders. It checks nothing and signs
// nothing; what it takes is the machine's part.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

static int dial(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (sockaddr*)&to, sizeof to)) exit(2);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void watch(int poll, int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

static char in[1 << 16];
static size_t have = 0;

static bool fill(int fd) {
    ssize_t got = read(fd, in + have, sizeof in - have);
    if (got <= 0) return false;
    have += got;
    return true;
}

static void drop(size_t bytes) {
    memmove(in, in + bytes, have - bytes);
    have -= bytes;
}

static void upgrade(int fd) {
    const char* ask =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    if (write(fd, ask, strlen(ask)) < 0) exit(2);
    for (;;) {
        if (!fill(fd)) exit(2);
        in[have] = 0;
        char* end = strstr(in, "\r\n\r\n");
        if (end) return drop(end + 4 - in);
    }
}

static void trade(int orders, const char* frame, size_t length) {
    static double fast = 0, slow = 0;
    static long number = 0;
    char text[4096], body[256], out[512];
    memcpy(text, frame, length);
    text[length] = 0;
    const char* at = strstr(text, "\"p\":\"");
    if (!at) return;
    double price = atof(at + 5);
    fast += (price - fast) * 2 / 11;
    slow += (price - slow) * 2 / 21;
    int size = snprintf(body, sizeof body,
                        "{\"category\":\"linear\",\"symbol\":\"BTCUSDT\",\"side\":\"%s\","
                        "\"orderType\":\"Market\",\"qty\":\"0.100\",\"orderLinkId\":\"%ld\"}",
                        fast >= slow ? "Buy" : "Sell", number++);
    size = snprintf(out, sizeof out,
                    "POST /v5/order/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
                    "\r\nContent-Length: %d\r\n\r\n%s",
                    size, body);
    if (write(orders, out, size) < 0) exit(0);
}

int main(int, char** argument) {
    int feed = dial(atoi(argument[1])), orders = dial(atoi(argument[2]));
    upgrade(feed);
    int poll = epoll_create1(0);
    watch(poll, feed);
    watch(poll, orders);
    static char answer[4096];
    for (epoll_event events[4];;) {
        int count = epoll_wait(poll, events, 4, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == orders) {
                if (read(orders, answer, sizeof answer) <= 0) return 0;
                continue;
            }
            if (!fill(feed)) return 0;
            while (have >= 2) {
                size_t length = (unsigned char)in[1] & 127, head = 2;
                if (length == 126) {
                    if (have < 4) break;
                    length = ((unsigned char)in[2] << 8) | (unsigned char)in[3];
                    head = 4;
                }
                if (have < head + length) break;
                if ((in[0] & 15) == 1) trade(orders, in + head, length);
                if ((in[0] & 15) == 8) return 0;
                drop(head + length);
            }
        }
    }
}
