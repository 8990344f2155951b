#include "connection/interruptible_wait.hpp"

#include "server/guard.hpp"

namespace pgci {

bool wait_interruptibly(int descriptor, int events, long timeout_milliseconds) {
    return pg_call([=] {
        const int occurred = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT | events,
                                               descriptor, timeout_milliseconds, PG_WAIT_EXTENSION);
        if ((occurred & WL_LATCH_SET) != 0) ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        return (occurred & events) != 0;
    });
}

} // namespace pgci
