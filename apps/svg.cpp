#include "svg.hpp"
