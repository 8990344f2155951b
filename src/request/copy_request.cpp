#include "request/copy_request.hpp"

namespace pgci {

std::optional<Window> CopyRequest::window(const TimeZone &zone) const {
    if (!day && data_interval == nullptr) return std::nullopt;
    const Window own = data_interval != nullptr ? Window::of_range(data_interval, zone) : Window::of_day(*day, zone);
    return lookback > 0 ? own.grown_back(lookback, zone) : own;
}

} // namespace pgci
