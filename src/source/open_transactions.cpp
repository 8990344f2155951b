#include "source/open_transactions.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

namespace pgci {

const char *const open_transactions = R"((
  SELECT l.virtualtransaction, a.backend_xid IS NOT NULL, a.xact_start, NULL::pg_catalog.timestamptz
    FROM pg_catalog.pg_stat_activity AS a
    JOIN pg_catalog.pg_locks AS l ON l.pid OPERATOR(pg_catalog.=) a.pid
   WHERE l.locktype OPERATOR(pg_catalog.=) 'virtualxid' AND l.mode OPERATOR(pg_catalog.=) 'ExclusiveLock' AND l.granted
     AND a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND a.usesysid IS NOT NULL
     AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
     AND (a.backend_xid IS NOT NULL
          OR a.application_name OPERATOR(pg_catalog.<>) ALL ('{pg_dump,copy_incremental}'::pg_catalog.text[]))
     AND coalesce(a.backend_type OPERATOR(pg_catalog.<>) 'walsender', true)
  UNION ALL
  SELECT transaction::pg_catalog.text, true, NULL, prepared
    FROM pg_catalog.pg_prepared_xacts WHERE database OPERATOR(pg_catalog.=) pg_catalog.current_database()
) AS open_transactions(id, has_written, began, prepared))";

std::set<std::string> read_transactions(const Answer &answer, const std::string &text) {
    std::set<std::string> names;
    std::istringstream words(text);
    for (std::string name; words >> name;) {
        if (name.size() > 30 || name.find_first_not_of("0123456789/s") != std::string::npos)
            answer.raise_wrong("no number of a transaction");
        names.insert(name);
    }
    return names;
}

void AwaitedTransactions::look(const std::set<std::string> &open) {
    const auto is_prepared = [](const std::string &name) { return name.find_first_of("/s") == std::string::npos; };
    bool may_be_prepared = false;
    std::erase_if(names_, [&](const std::string &name) {
        if (open.contains(name)) return false;
        may_be_prepared = may_be_prepared || name.find('/') != std::string::npos;
        return true;
    });
    if (may_be_prepared) std::copy_if(open.begin(), open.end(), std::inserter(names_, names_.end()), is_prepared);
}

} // namespace pgci
