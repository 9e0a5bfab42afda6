// A coded error; the codes are ErrorCode of src/core/errors.ts.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace vernier {

class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

}  // namespace vernier
