#include "rows/row_writer.hpp"

#include "server/settings.hpp"

namespace pgci {

void StatementScope::begin(const char *time_zone) {
    settings_ = NewGUCNestLevel();
    set_for_level("TimeZone", time_zone);
    AfterTriggerBeginQuery();
}

void StatementScope::end() {
    PushActiveSnapshot(GetTransactionSnapshot());
    EState *const state = CreateExecutorState();
    AfterTriggerEndQuery(state);
    ExecCloseResultRelations(state);
    ExecResetTupleTable(state->es_tupleTable, false);
    FreeExecutorState(state);
    PopActiveSnapshot();
    AtEOXact_GUC(true, settings_);
}

} // namespace pgci
