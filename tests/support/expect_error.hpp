#ifndef LAVOISIER_TESTS_EXPECT_ERROR_HPP
#define LAVOISIER_TESTS_EXPECT_ERROR_HPP

#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace lavoisier::tests {

/// The call must throw lavoisier::Error with this status and with each part in its message.
template <class Call, class... Part>
void expect_error(Status status, Call call, const Part&... parts) {
  try {
    call();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.status(), status) << message;
    for (const std::string& part : std::initializer_list<std::string>{std::string(parts)...}) {
      EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
    }
    return;
  }
  ADD_FAILURE() << "nothing was thrown; expected the status " << status_name(status);
}

}  // namespace lavoisier::tests

#endif
