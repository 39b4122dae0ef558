// A workspace is one thread's scratch: it moves, and is never copied.
#include <lavoisier/emulator.hpp>

#include <utility>

lavoisier::Workspace use(lavoisier::Workspace& workspace) {
#ifdef MUST_FAIL
  return workspace;
#else
  return std::move(workspace);
#endif
}
