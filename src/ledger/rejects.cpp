#include "ledger/rejects.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "server/guard.hpp"
#include "server/memory.hpp"
#include "server/settings.hpp"

namespace pgci {

void Rejects::add(RunFailure failure, std::string row, bool is_whole) {
    ++count_;
    if (limit_ && count_ > *limit_)
        raise(sqlstate::too_many_rejects,
              "more rows were rejected than reject_limit allows (" + std::to_string(*limit_) +
                  "), so nothing was loaded",
              "See what is wrong with the rows, or pass a higher reject_limit.",
              "The last one: " + failure.sqlstate() + ": " + failure.message + "; " + row + ".");
    failure.context.clear();
    constexpr std::size_t overhead = sizeof(Reject) + 64;
    bytes_ += overhead + row.size() + failure.message.size() + failure.detail.size();
    not_written_.push_back({count_, std::move(failure), std::move(row), is_whole});
    constexpr std::size_t worth_writing = 256 * 1024;
    if (bytes_ > worth_writing) write();
}

void Rejects::write() {
    if (not_written_.empty()) return;
    const TemporaryMemory memory;
    if (before_first_) std::exchange(before_first_, nullptr)();
    ledger_.record_rejects(run_id_, batch_, not_written_);
    not_written_.clear();
    bytes_ = 0;
}

char *row_to_json(TupleDesc description, const Datum *values, const bool *nulls) {
    StringInfoData json;
    initStringInfo(&json);
    const int settings = NewGUCNestLevel();
    set_text_output_for_level();
    for (int i = 0; i < description->natts; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(description, i);
        if (attribute->attisdropped) continue;
        appendStringInfoString(&json, json.len == 0 ? "{" : ", ");
        escape_json(&json, NameStr(attribute->attname));
        appendStringInfoString(&json, ": ");
        if (nulls[i]) {
            appendStringInfoString(&json, "null");
            continue;
        }
        Oid output = InvalidOid;
        bool is_varlena = false;
        getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
        escape_json(&json, OidOutputFunctionCall(output, values[i]));
    }
    appendStringInfoChar(&json, '}');
    AtEOXact_GUC(true, settings);
    return json.data;
}

bool is_row_error(int code) {
    const std::array<char, 2> letters{static_cast<char>((code & 0x3F) + '0'),
                                      static_cast<char>(((code >> 6) & 0x3F) + '0')};
    const std::string_view category(letters.data(), letters.size());
    constexpr std::array<std::string_view, 9> of_rows{"09", "21", "22", "23", "27", "38", "39", "44", "P0"};
    constexpr std::array<std::string_view, 7> of_the_server{"53", "54", "55", "57", "58", "72", "XX"};
    const auto is_in = [&](const auto &list) { return std::find(list.begin(), list.end(), category) != list.end(); };
    if (is_in(of_rows)) return true;
    // The SQL standard leaves the classes that begin with 5 to 9 or I to Z to implementations and users.
    const char first = category[0];
    const bool is_free = (first >= '5' && first <= '9') || (first >= 'I' && first <= 'Z');
    return is_free && !is_in(of_the_server);
}

} // namespace pgci
