// Boost's spsc_queue doing what ring_test.go does: boost ITEMS BATCH prints the nanoseconds taken and the sum that arrived.
#include <boost/lockfree/spsc_queue.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

struct descriptor { uint64_t w[4]; };

static boost::lockfree::spsc_queue<descriptor, boost::lockfree::capacity<4096>> queue;

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const uint64_t items = std::strtoull(argv[1], nullptr, 10), batch = std::strtoull(argv[2], nullptr, 10);
    if (batch < 1 || batch > 64) return 2;
    const auto began = std::chrono::steady_clock::now();
    std::thread producer([=] {
        descriptor d[64] = {};
        for (uint64_t sent = 0; sent < items;) {
            const uint64_t n = std::min(batch, items - sent);
            for (uint64_t i = 0; i < n; i++) d[i].w[0] = sent + i;
            for (uint64_t done = 0; done < n;) {
                const uint64_t k = n == 1 ? queue.push(d[0]) : queue.push(d + done, n - done);
                if (k == 0) std::this_thread::yield();
                done += k;
            }
            sent += n;
        }
    });
    uint64_t sum = 0;
    descriptor d[64];
    for (uint64_t got = 0; got < items;) {
        const uint64_t k = batch == 1 ? queue.pop(d[0]) : queue.pop(d, batch);
        if (k == 0) std::this_thread::yield();
        for (uint64_t i = 0; i < k; i++) sum += d[i].w[0];
        got += k;
    }
    const auto took = std::chrono::steady_clock::now() - began;
    producer.join();
    std::printf("%llu %llu\n", (unsigned long long)std::chrono::duration_cast<std::chrono::nanoseconds>(took).count(), (unsigned long long)sum);
}
