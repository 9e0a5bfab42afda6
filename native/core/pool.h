// A pool of threads in which the caller takes part. Work is split by task index alone, so a body that writes only
// what belongs to its task gives the same results for any number of threads.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace vernier {

class Pool {
 public:
  explicit Pool(int threads) {
    for (int worker = 1; worker < threads; ++worker) workers_.emplace_back([this, worker] { serve(worker); });
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    stopping_.store(true);
    generation_.fetch_add(1);
    generation_.notify_all();
    for (std::thread& thread : workers_) thread.join();
  }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(task, worker) once for every task in [0, tasks); worker < threads() names the calling thread, 0 the
  // caller's own. Blocks until all are done, then rethrows the first exception. When another thread is inside `run`
  // the tasks are done by the caller alone, as worker 0.
  template <class Body>
  void run(std::size_t tasks, const Body& body) {
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (tasks <= 1 || workers_.empty() || !lock.owns_lock()) {
      for (std::size_t task = 0; task < tasks; ++task) body(task, 0);
      return;
    }
    body_ = [](const void* context, std::size_t task, int worker) {
      (*static_cast<const Body*>(context))(task, worker);
    };
    context_ = &body;
    tasks_ = tasks;
    next_.store(0, std::memory_order_relaxed);
    failure_ = nullptr;
    failed_.store(false, std::memory_order_relaxed);
    open_.store(true);
    generation_.fetch_add(1);
    if (parked_.load() > 0) generation_.notify_all();
    drain(0);
    // A worker either saw the job open and is counted inside, or sees it closed and leaves it alone.
    open_.store(false);
    for (int spins = 0; inside_.load() != 0; ++spins) relax(spins);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  static constexpr int kSpinsBeforeYield = 4000;
  static constexpr int kSpinsBeforePark = 20000;

  static void relax(int spins) {
    if (spins >= kSpinsBeforeYield && spins % 64 == 0) {
      std::this_thread::yield();
      return;
    }
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  void drain(int worker) {
    for (;;) {
      const std::size_t task = next_.fetch_add(1);
      if (task >= tasks_) return;
      try {
        body_(context_, task, worker);
      } catch (...) {
        if (!failed_.exchange(true)) failure_ = std::current_exception();
      }
    }
  }

  void serve(int worker) {
    std::uint32_t seen = 0;
    for (;;) {
      await(seen);
      seen = generation_.load();
      if (stopping_.load()) return;
      inside_.fetch_add(1);
      if (open_.load()) drain(worker);
      inside_.fetch_sub(1);
    }
  }

  // Returns once the generation differs from `seen`: spins for a while, as the next job often comes at once.
  void await(std::uint32_t seen) {
    for (int spins = 0; spins < kSpinsBeforePark; ++spins) {
      if (generation_.load() != seen) return;
      relax(spins);
    }
    parked_.fetch_add(1);
    generation_.wait(seen);
    parked_.fetch_sub(1);
  }

  std::mutex mutex_;
  void (*body_)(const void*, std::size_t, int) = nullptr;
  const void* context_ = nullptr;
  std::size_t tasks_ = 0;
  std::exception_ptr failure_;
  std::atomic<bool> failed_{false}, open_{false}, stopping_{false};
  std::atomic<int> inside_{0}, parked_{0};
  std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<std::size_t> next_{0};
  std::vector<std::thread> workers_;
};

// The process's pool of that many threads, kept while anyone holds it: programs and environments that share one do
// not spin against each other.
inline std::shared_ptr<Pool> sharedPool(int threads) {
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<Pool>> pools;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Pool> pool = pools[threads].lock();
  if (!pool) pools[threads] = pool = std::make_shared<Pool>(threads);
  return pool;
}

}  // namespace vernier
