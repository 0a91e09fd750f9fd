// SPDX-License-Identifier: Apache-2.0
// Who asks and who listens, for `bench_face.py`: one epoll loop that takes little of the machine
// beside the server it drives. It says "ready" when all are connected, "begun" when the time that is
// measured begins, and a line of JSON at its end.
//
//     face_load http PORT CONNECTIONS SECONDS RATE < the bytes of one request
//     face_load ws PORT SECONDS STUCK PATH < what each client says, one a line, frames between tabs
//
// http: keep-alive connections, one request under way on each; RATE requests a second over all of
// them, 0 as fast as they are answered. ws: a client for each line of the input; the first STUCK of
// them read nothing once they were let in. A frame with "@" and digits tells when it was made,
// nanoseconds of the monotonic clock.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

static const size_t ROOM = 1 << 18;
static const double WARM_UP_S = 1.0;

static int64_t now_ns() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

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

static std::string all_of_input() {
    std::string found;
    char some[65536];
    for (ssize_t got; (got = read(0, some, sizeof some)) > 0;) found.append(some, got);
    return found;
}

struct Client {
    int fd = -1;
    std::string in;
    int64_t sent_ns = 0, frames = 0;
    bool is_busy = false;
};

static void say(const char* word) {
    printf("%s\n", word);
    fflush(stdout);
}

static std::vector<int64_t> taken;
static std::vector<Client> clients;

static int watched() {
    int poll = epoll_create1(0);
    for (size_t each = 0; each < clients.size(); each++) {
        if (clients[each].fd < 0) continue;
        fcntl(clients[each].fd, F_SETFL, O_NONBLOCK);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = each;
        epoll_ctl(poll, EPOLL_CTL_ADD, clients[each].fd, &event);
    }
    return poll;
}

static double percentile_us(double share) {
    if (taken.empty()) return 0;
    std::sort(taken.begin(), taken.end());
    return taken[std::min(size_t(taken.size() * share), taken.size() - 1)] / 1e3;
}

// Length of a whole answer at the beginning of `in`, 0 while it is not.
static size_t answer_in(const std::string& in) {
    size_t head = in.find("\r\n\r\n");
    if (head == std::string::npos) return 0;
    size_t at = in.find("content-length: ");
    size_t body = at < head ? strtoul(in.c_str() + at + 16, nullptr, 10) : 0;
    return in.size() >= head + 4 + body ? head + 4 + body : 0;
}

static int http(int port, int connections, double seconds, double rate) {
    std::string request = all_of_input();
    clients.resize(connections);
    for (auto& each : clients) each.fd = dial(port);
    int poll = watched();
    say("ready");
    bool is_on = false;
    int64_t bad = 0, began = now_ns(), asked = 0;
    int64_t from = began + int64_t(WARM_UP_S * 1e9), until = from + int64_t(seconds * 1e9);
    size_t turn = 0;
    static char some[ROOM];
    for (int64_t now = began; now < until; now = now_ns()) {
        if (!is_on && now >= from) is_on = true, say("begun");
        int64_t due = rate > 0 ? int64_t((now - began) / 1e9 * rate) : INT64_MAX;
        for (size_t tries = 0; asked < due && tries < clients.size(); tries++) {
            Client& each = clients[turn++ % clients.size()];
            if (each.is_busy) continue;
            each.is_busy = true;
            each.sent_ns = now_ns();
            if (write(each.fd, request.data(), request.size()) < 0) return 3;
            asked++;
        }
        epoll_event events[256];
        int found = epoll_wait(poll, events, 256, rate > 0 ? 1 : 100);
        for (int at = 0; at < found; at++) {
            Client& each = clients[events[at].data.u64];
            ssize_t got = read(each.fd, some, sizeof some);
            if (got <= 0) return 4;
            each.in.append(some, got);
            size_t whole = answer_in(each.in);
            if (!whole) continue;
            int64_t answered = now_ns();
            if (answered >= from) {
                taken.push_back(answered - each.sent_ns);
                bad += each.in.compare(9, 3, "200") != 0;
            }
            each.in.erase(0, whole);
            each.is_busy = false;
        }
    }
    printf("{\"requests\":%zu,\"bad\":%lld,\"seconds\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
           taken.size(), (long long)bad, (now_ns() - from) / 1e9, percentile_us(0.5),
           percentile_us(0.99));
    return 0;
}

// A text frame as clients send it, with a mask of zeros.
static std::string masked(const std::string& text) {
    std::string frame("\x81");
    if (text.size() < 126) {
        frame += char(0x80 | text.size());
    } else {
        frame += char(0xfe);
        frame += char(text.size() >> 8);
        frame += char(text.size() & 255);
    }
    return frame + std::string(4, '\0') + text;
}

// Length of a whole frame at `at`, 0 while it is not; where its payload begins.
static size_t frame_in(const std::string& in, size_t at, size_t* payload) {
    size_t have = in.size() - at;
    if (have < 2) return 0;
    size_t size = in[at + 1] & 127, head = 2;
    if (size >= 126) {
        size_t wide = size == 126 ? 2 : 8;
        head += wide;
        if (have < head) return 0;
        size = 0;
        for (size_t each = 0; each < wide; each++) size = size << 8 | (unsigned char)in[at + 2 + each];
    }
    *payload = at + head;
    return have >= head + size ? head + size : 0;
}

static void enter(Client& client, int port, const std::string& path, const std::string& says) {
    client.fd = dial(port);
    std::string ask = "GET " + path +
                      " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: "
                      "13\r\n\r\n";
    if (write(client.fd, ask.data(), ask.size()) < 0) exit(3);
    char some[4096];
    size_t end;
    while ((end = client.in.find("\r\n\r\n")) == std::string::npos) {
        ssize_t got = read(client.fd, some, sizeof some);
        if (got <= 0) exit(4);
        client.in.append(some, got);
    }
    if (client.in.compare(9, 3, "101")) exit(5);
    client.in.erase(0, end + 4);
    for (size_t from = 0, to; from < says.size(); from = to + 1) {
        to = std::min(says.find('\t', from), says.size());
        std::string frame = masked(says.substr(from, to - from));
        if (write(client.fd, frame.data(), frame.size()) < 0) exit(3);
        size_t payload, size;
        while (!from && !(size = frame_in(client.in, 0, &payload))) {  // the word that lets it in
            ssize_t got = read(client.fd, some, sizeof some);
            if (got <= 0) exit(6);
            client.in.append(some, got);
        }
        if (!from) client.in.erase(0, size);
    }
}

static int ws(int port, double seconds, size_t stuck, const std::string& path) {
    std::string input = all_of_input();
    for (size_t from = 0; from < input.size();) {
        size_t to = std::min(input.find('\n', from), input.size());
        clients.emplace_back();
        enter(clients.back(), port, path, input.substr(from, to - from));
        from = to + 1;
    }
    std::vector<int> held;
    for (size_t each = 0; each < stuck; each++) {
        held.push_back(clients[each].fd);
        clients[each].fd = -1;
    }
    int poll = watched();
    say("ready");
    bool is_on = false;
    int64_t began = now_ns(), from = began + int64_t(WARM_UP_S * 1e9), closed = 0;
    int64_t until = from + int64_t(seconds * 1e9);
    static char some[ROOM];
    for (int64_t now = began; now < until; now = now_ns()) {
        if (!is_on && now >= from) is_on = true, say("begun");
        epoll_event events[256];
        int found = epoll_wait(poll, events, 256, 50);
        now = now_ns();
        for (int at = 0; at < found; at++) {
            Client& each = clients[events[at].data.u64];
            ssize_t got = read(each.fd, some, sizeof some);
            if (got <= 0) {
                epoll_ctl(poll, EPOLL_CTL_DEL, each.fd, nullptr);
                closed++;
                continue;
            }
            each.in.append(some, got);
            size_t place = 0, payload, size;
            while ((size = frame_in(each.in, place, &payload))) {
                if (now >= from && (each.in[place] & 15) == 1) {
                    each.frames++;
                    size_t left = place + size - payload;
                    auto* mark = (const char*)memchr(each.in.data() + payload, '@', left);
                    if (mark) taken.push_back(now - strtoll(mark + 1, nullptr, 10));
                }
                place += size;
            }
            each.in.erase(0, place);
        }
    }
    int64_t frames = 0, fewest = INT64_MAX;
    for (size_t each = stuck; each < clients.size(); each++) {
        frames += clients[each].frames;
        fewest = std::min(fewest, clients[each].frames);
    }
    printf("{\"frames\":%lld,\"fewest\":%lld,\"seconds\":%.6f,\"closed\":%lld,\"p50_us\":%.1f,"
           "\"p99_us\":%.1f}\n",
           (long long)frames, (long long)fewest, (now_ns() - from) / 1e9, (long long)closed,
           percentile_us(0.5), percentile_us(0.99));
    return 0;
}

int main(int count, char** given) {
    if (count < 6) return 1;
    int port = atoi(given[2]);
    if (!strcmp(given[1], "http"))
        return http(port, atoi(given[3]), atof(given[4]), atof(given[5]));
    return ws(port, atof(given[3]), atoi(given[4]), given[5]);
}
