#include "target/insert_plan.hpp"

#include "server/guard.hpp"
#include "server/spi.hpp"

namespace pgci {

void check_inserts_are_local(const Target &target, const std::string &insert, Method method) {
    const char *const statement = insert.c_str();
    const UsedRelation used = target.used_for(ACL_INSERT);
    const bool is_local = pg_call([=] {
        spi_connect();
        CachedPlan *const plan = SPI_plan_get_cached_plan(spi_prepare(statement, used));
        const bool writes = IsA(static_cast<const PlannedStmt *>(linitial(plan->stmt_list))->planTree, ModifyTable);
        ReleaseCachedPlan(plan, nullptr);
        spi_finish();
        return writes;
    });
    if (!is_local)
        raise(sqlstate::feature_not_supported,
              "method " + std::string(word_of(method)) + " cannot write to " + target.name(), "Use method => 'cursor'.",
              "An extension carries out INSERTs into it, as where a table is distributed over several servers.");
}

} // namespace pgci
