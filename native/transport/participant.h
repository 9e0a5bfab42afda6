// What one node has in DDS: a participant with writers and readers of bytes.
#pragma once
#include <dds/dds.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

struct ddsi_serdata;
struct ddsi_sertype;

namespace vernier::transport {

// A handle of Cyclone DDS; its deletion waits for callbacks that run.
class Entity {
 public:
  Entity() = default;
  // Throws Error where `created` is an error code.
  Entity(dds_entity_t created, const std::string& what);
  ~Entity();
  Entity(Entity&& other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
  Entity& operator=(Entity&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  Entity(const Entity&) = delete;
  Entity& operator=(const Entity&) = delete;

  dds_entity_t handle() const { return handle_; }

 private:
  dds_entity_t handle_ = 0;
};

struct Quality {
  bool reliable = true;
  bool transientLocal = false;
  std::int32_t depth = 1;
  // Nanoseconds; 0: none.
  dds_duration_t deadline = 0;
  // What the other side sees beside the endpoint: `typehash=...;`.
  std::string userData;
};

struct Message {
  int reader;
  std::span<const std::uint8_t> bytes;
  // Nanoseconds since 1970 by the sender's clock.
  dds_time_t sent;
  // dds_time() when it came.
  dds_time_t arrived;
  dds_instance_handle_t writer;
};

// Every function but the wake runs on one thread, the owner's.
class Participant {
 public:
  // `wake` is called on a thread of the middleware when deliver() has something to do.
  Participant(std::uint32_t domain, const std::string& userData, std::function<void()> wake);
  ~Participant();
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;

  int addWriter(const std::string& topic, const std::string& type, const Quality& quality);
  int addReader(const std::string& topic, const std::string& type, const Quality& quality);
  // Nothing of the endpoint is delivered afterwards; no error where it is gone already.
  void remove(int endpoint);

  void write(int writer, std::span<const std::uint8_t> bytes);
  // Hands over what waits, at most each reader's depth. `visit` may add and remove endpoints and returns false to stop.
  void deliver(const std::function<bool(const Message&)>& visit);

  // Endpoints of others that match now.
  std::uint32_t matched(int endpoint) const;
  std::uint32_t deadlineMisses(int reader) const;
  // The policy by which the last one was found not to fit (`reliability`); empty where all fitted so far.
  std::string misfit(int endpoint) const;
  // Of an endpoint, or of the participant for -1.
  std::array<std::uint8_t, 16> guid(int endpoint) const;
  // Whether what `writer` sends reaches the one whose request came from the handle `requester` at `reader`: a reader
  // of the same participant, and of the same `clientid=` where it tells one. Also true where the requester is gone.
  bool reaches(int reader, dds_instance_handle_t requester, int writer) const;

 private:
  struct Endpoint;

  const Endpoint& at(int endpoint) const;
  Entity makeTopic(const std::string& topic, const std::string& type, const ddsi_sertype** outType) const;
  void signal(Endpoint& reader);
  bool deliverFrom(int reader, const std::function<bool(const Message&)>& visit);
  static void onData(dds_entity_t reader, void* endpoint);

  std::function<void()> wake_;
  Entity participant_;
  int nextEndpoint_ = 0;
  std::mutex readyMutex_;
  // Readers with messages that wait, each once.
  std::vector<int> ready_;
  // Torn down before all above: their callbacks use it.
  std::map<int, std::unique_ptr<Endpoint>> endpoints_;
};

}  // namespace vernier::transport
