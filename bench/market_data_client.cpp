// SPDX-License-Identifier: Apache-2.0
// The clients of bench_market_data.py, so light that the server is what is measured.
//   get PORT CONNECTIONS SECONDS PATH     one request under way on each; prints requests, p50, p99 us
//   listen PORT CONNECTIONS SECONDS PATH TEXT   upgrade, send TEXT, count whole frames; prints them
// Answers are told apart by Content-Length, frames by their heads; nothing is kept.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

static double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int connected(int port) {
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(s, (sockaddr *)&a, sizeof a)) exit(4);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return s;
}

struct Peer {
    int socket;
    double sent = 0;
    std::string head;    // of the answer, or of a frame
    size_t left = 0;     // bytes of body still to come
    bool is_open = false;
};

static void send_all(int s, const std::string &text) {
    if (write(s, text.data(), text.size()) != (ssize_t)text.size()) exit(5);
}

static size_t length_of(const std::string &head) {
    size_t at = head.find("ontent-Length: ");
    if (at == std::string::npos) at = head.find("ontent-length: ");
    return at == std::string::npos ? 0 : strtoul(head.c_str() + at + 15, nullptr, 10);
}

// Counts frames in what came; a server's frames are not masked.
static long frames(Peer &p, const char *b, ssize_t n) {
    long count = 0;
    for (ssize_t i = 0; i < n;) {
        if (p.left) {
            ssize_t part = std::min<ssize_t>(p.left, n - i);
            p.left -= part;
            i += part;
            count += p.left == 0;
            continue;
        }
        p.head += b[i++];
        if (p.head.size() < 2) continue;
        unsigned char size = p.head[1] & 127;
        size_t whole = size == 126 ? 4 : size == 127 ? 10 : 2;
        if (p.head.size() < whole) continue;
        p.left = size < 126 ? size : 0;
        if (size >= 126) for (size_t k = 2; k < whole; k++) p.left = p.left << 8 | (unsigned char)p.head[k];
        p.head.clear();
        count += p.left == 0;
    }
    return count;
}

int main(int, char **v) {
    bool is_get = v[1][0] == 'g';
    int port = atoi(v[2]), count = atoi(v[3]);
    double seconds = atof(v[4]), warm = is_get ? 0.2 : 1.0;
    std::string host = "\r\nHost: 127.0.0.1:" + std::to_string(port);
    std::string request = std::string("GET ") + v[5] + " HTTP/1.1" + host;
    request += is_get ? "\r\n\r\n"
                      : "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    int ep = epoll_create1(0);
    std::vector<Peer> peers(count);
    for (auto &p : peers) {
        p.socket = connected(port);
        fcntl(p.socket, F_SETFL, O_NONBLOCK);
        epoll_event e{};
        e.events = EPOLLIN;
        e.data.ptr = &p;
        epoll_ctl(ep, EPOLL_CTL_ADD, p.socket, &e);
        p.sent = now();
        send_all(p.socket, request);
    }
    static char b[1 << 18];
    std::vector<float> taken;
    long done = 0;
    double began = now(), from = 0, t;
    while ((t = now()) - began < warm + seconds) {
        if (!from && t - began >= warm) from = t, done = 0, taken.clear();
        epoll_event events[256];
        int k = epoll_wait(ep, events, 256, 50);
        for (int j = 0; j < k; j++) {
            Peer &p = *(Peer *)events[j].data.ptr;
            ssize_t n = read(p.socket, b, sizeof b);
            if (n == 0) return 6;
            if (n < 0) continue;
            if (!is_get && p.is_open) {
                done += frames(p, b, n);
                continue;
            }
            p.head.append(b, n);
            size_t end = p.head.find("\r\n\r\n");
            if (end == std::string::npos) continue;
            if (!is_get) {
                std::string rest = p.head.substr(end + 4), text = v[6];
                p.head.clear();
                p.is_open = true;
                done += frames(p, rest.data(), rest.size());
                if (!text.empty()) send_all(p.socket, std::string("\x81") + (char)(0x80 | text.size()) + std::string(4, '\0') + text);
                continue;
            }
            if (p.head.size() < end + 4 + length_of(p.head)) continue;
            if (p.head.compare(9, 3, "200")) return 7;
            p.head.clear();
            done++;
            double at = now();
            taken.push_back((at - p.sent) * 1e6);
            p.sent = at;
            send_all(p.socket, request);
        }
    }
    double elapsed = now() - from;
    std::sort(taken.begin(), taken.end());
    auto share = [&](double x) { return taken.empty() ? 0.0 : taken[size_t(x * (taken.size() - 1))]; };
    printf("%ld %.6f %.1f %.1f\n", done, elapsed, share(0.5), share(0.99));
}
