// A model is shared between threads: what is loaded is immutable.
#include <lavoisier/emulator.hpp>

#ifdef MUST_FAIL
std::shared_ptr<lavoisier::Model> use(const std::string& path) { return lavoisier::Model::load(path); }
#else
std::shared_ptr<const lavoisier::Model> use(const std::string& path) { return lavoisier::Model::load(path); }
#endif
