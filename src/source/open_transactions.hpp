// The transactions that are open at the source, and may still commit rows.
#pragma once

#include <set>
#include <string>

#include "connection/question.hpp"

namespace pgci {

// A FROM item, open_transactions(id, has_written, began, prepared): those of the database, except this one. `began` is NULL if the
// role may not see it. A prepared transaction has instead the moment when it was prepared.
//
// pg_stat_activity hides the transactions of other roles, pg_locks does not: each transaction has a lock on its virtual transaction
// ID. A session that is visible and has no xact_start has ended its transaction in the meantime. Processes without a user do not
// write rows of users; walsenders, pg_dump and the extension's own sessions only read. Any session can have such a name, but not if
// it has written.
extern const char *const open_transactions;

// Reads names that an answer has in one text. Raises 08P01 for something else.
std::set<std::string> read_transactions(const Answer &answer, const std::string &text);

// The transactions out of a set that have not ended. A name with a slash is a virtual transaction ID, a number a prepared
// transaction, and s with a number a session.
class AwaitedTransactions {
  public:
    explicit AwaitedTransactions(std::set<std::string> names) : names_(std::move(names)) {}
    // Removes those that are not open any more. One of them may have been prepared, so this adds those that are prepared now: once all
    // others have ended, no more are added.
    void look(const std::set<std::string> &open);
    bool have_ended() const { return names_.empty(); }
    const std::set<std::string> &names() const { return names_; }

  private:
    std::set<std::string> names_;
};

} // namespace pgci
