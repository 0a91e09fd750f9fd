// SPDX-License-Identifier: Apache-2.0
// Two peers for bench_matching.py, both limit/cancel/market only and without any facts: the
// textbook book (ordered map of lists, hash map of ids) and a ladder (array indexed by price,
// linked lists in one pool). Their prices are plain integers; the ladder covers [low, low + span).

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <unordered_map>
#include <vector>

namespace py = pybind11;

class TextbookBook {
    struct Order {
        uint64_t id;
        int64_t price;
        int64_t lots;
        bool is_buy;
    };
    using Queue = std::list<Order>;
    std::map<int64_t, Queue, std::greater<int64_t>> bids_;
    std::map<int64_t, Queue> asks_;
    std::unordered_map<uint64_t, Queue::iterator> orders_;
    uint64_t last_id_ = 0;

    template <class Levels, class Reaches>
    int64_t match(Levels& levels, int64_t lots, Reaches reaches) {
        while (lots > 0 && !levels.empty() && reaches(levels.begin()->first)) {
            Queue& queue = levels.begin()->second;
            while (lots > 0 && !queue.empty()) {
                Order& maker = queue.front();
                const int64_t part = std::min(lots, maker.lots);
                maker.lots -= part;
                lots -= part;
                ++trades;
                if (maker.lots == 0) {
                    orders_.erase(maker.id);
                    queue.pop_front();
                }
            }
            if (queue.empty()) levels.erase(levels.begin());
        }
        return lots;
    }

    template <class Levels>
    void place(Levels& levels, const Order& order) {
        Queue& queue = levels[order.price];
        queue.push_back(order);
        orders_.emplace(order.id, std::prev(queue.end()));
    }

    template <class Levels>
    static void remove(Levels& levels, Queue::iterator order) {
        auto level = levels.find(order->price);
        level->second.erase(order);
        if (level->second.empty()) levels.erase(level);
    }

public:
    uint64_t trades = 0;

    uint64_t limit(bool buy, int64_t price, int64_t lots) {
        const uint64_t id = ++last_id_;
        lots = buy ? match(asks_, lots, [=](int64_t ask) { return ask <= price; })
                   : match(bids_, lots, [=](int64_t bid) { return bid >= price; });
        const Order order{id, price, lots, buy};
        if (lots > 0 && buy) place(bids_, order);
        if (lots > 0 && !buy) place(asks_, order);
        return id;
    }

    int64_t market(bool buy, int64_t lots) {
        const auto any = [](int64_t) { return true; };
        return buy ? match(asks_, lots, any) : match(bids_, lots, any);
    }

    bool cancel(uint64_t id) {
        const auto found = orders_.find(id);
        if (found == orders_.end()) return false;
        if (found->second->is_buy) remove(bids_, found->second);
        else remove(asks_, found->second);
        orders_.erase(found);
        return true;
    }
};

class LadderBook {
    static constexpr int32_t NONE = -1;
    struct Order {
        int64_t lots;
        int32_t rung, older, newer;
        uint32_t life;
        bool is_buy;
    };
    struct Rung {
        int32_t oldest = NONE, newest = NONE;
    };
    std::vector<Order> pool_;
    std::vector<int32_t> free_;
    std::vector<Rung> bids_, asks_;
    int64_t low_;
    int32_t span_, bid_ = NONE, ask_;

    Rung& rung(const Order& order) { return (order.is_buy ? bids_ : asks_)[order.rung]; }

    void drop(int32_t slot) {
        Order& order = pool_[slot];
        Rung& at = rung(order);
        (order.older == NONE ? at.oldest : pool_[order.older].newer) = order.newer;
        (order.newer == NONE ? at.newest : pool_[order.newer].older) = order.older;
        ++order.life;
        free_.push_back(slot);
        if (at.oldest != NONE) return;
        if (order.is_buy) while (bid_ >= 0 && bids_[bid_].oldest == NONE) --bid_;
        else while (ask_ < span_ && asks_[ask_].oldest == NONE) ++ask_;
    }

    int64_t match(bool buy, int64_t lots, int32_t worst) {
        while (lots > 0) {
            const int32_t best = buy ? ask_ : bid_;
            if (buy ? best > worst || best >= span_ : best < worst || best < 0) break;
            const int32_t slot = (buy ? asks_ : bids_)[best].oldest;
            const int64_t part = std::min(lots, pool_[slot].lots);
            pool_[slot].lots -= part;
            lots -= part;
            ++trades;
            if (pool_[slot].lots == 0) drop(slot);
        }
        return lots;
    }

public:
    uint64_t trades = 0;

    LadderBook(int64_t low, int32_t span)
        : bids_(span), asks_(span), low_(low), span_(span), ask_(span) {}

    uint64_t limit(bool buy, int64_t price, int64_t lots) {
        if (price < low_ || price >= low_ + span_) return 0;
        const int32_t at = static_cast<int32_t>(price - low_);
        lots = match(buy, lots, at);
        if (lots == 0) return 0;
        int32_t slot = static_cast<int32_t>(pool_.size());
        if (free_.empty()) {
            pool_.push_back({});
        } else {
            slot = free_.back();
            free_.pop_back();
        }
        Order& order = pool_[slot];
        order = {lots, at, NONE, NONE, order.life, buy};
        Rung& place = rung(order);
        order.older = place.newest;
        (place.newest == NONE ? place.oldest : pool_[place.newest].newer) = slot;
        place.newest = slot;
        if (buy) bid_ = std::max(bid_, at);
        else ask_ = std::min(ask_, at);
        return (uint64_t{order.life} + 1) << 32 | static_cast<uint32_t>(slot);
    }

    int64_t market(bool buy, int64_t lots) { return match(buy, lots, buy ? span_ : 0); }

    bool cancel(uint64_t id) {
        const auto slot = static_cast<uint32_t>(id);
        if (slot >= pool_.size() || uint64_t{pool_[slot].life} + 1 != id >> 32) return false;
        drop(static_cast<int32_t>(slot));
        return true;
    }
};

template <class T>
using Column = py::array_t<T, py::array::c_style>;

template <class Book>
uint64_t batch(Book& book, Column<int8_t> kind, Column<int8_t> buy, Column<int64_t> price,
               Column<int64_t> lots) {
    const auto k = kind.template unchecked<1>();
    const auto b = buy.template unchecked<1>();
    const auto p = price.template unchecked<1>();
    const auto q = lots.template unchecked<1>();
    const py::gil_scoped_release unlocked;
    std::vector<uint64_t> ids(k.shape(0));
    for (py::ssize_t i = 0; i < k.shape(0); ++i) {
        if (k(i) == 0) ids[i] = book.limit(b(i) != 0, p(i), q(i));
        else if (k(i) == 1) book.cancel(ids[p(i)]);
        else book.market(b(i) != 0, q(i));
    }
    return book.trades;
}

template <class Book>
auto methods(py::class_<Book> type) {
    return type.def("limit", &Book::limit)
        .def("market", &Book::market)
        .def("cancel", &Book::cancel)
        .def("batch", &batch<Book>)
        .def_readonly("trades", &Book::trades);
}

PYBIND11_MODULE(matching_peers, module) {
    methods(py::class_<TextbookBook>(module, "TextbookBook")).def(py::init<>());
    methods(py::class_<LadderBook>(module, "LadderBook")).def(py::init<int64_t, int32_t>());
}
