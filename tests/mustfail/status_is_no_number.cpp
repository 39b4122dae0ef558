// A status is not mistaken for a count or a truth value.
#include <lavoisier/status.hpp>

#ifdef MUST_FAIL
bool use(const lavoisier::Error& error) { return error.status(); }
#else
bool use(const lavoisier::Error& error) { return error.status() == lavoisier::Status::ok; }
#endif
