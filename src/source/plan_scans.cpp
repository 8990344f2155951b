#include "source/plan_scans.hpp"

#include "server/subtransaction.hpp"

namespace pgci {

std::optional<std::vector<TextRow>> filtering_scans(const std::string &json) {
    std::vector<TextRow> scans;
    const auto is_of_json = [](int code) {
        const int category = ERRCODE_TO_CATEGORY(code);
        return category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    };
    const std::optional<RunFailure> failure = in_subtransaction(
        [&] {
            scans = select_rows(
                "SELECT DISTINCT node OPERATOR(pg_catalog.->>) 'Schema', node OPERATOR(pg_catalog.->>) 'Relation "
                "Name', node OPERATOR(pg_catalog.->>) 'Filter' FROM pg_catalog.jsonb_path_query($1::pg_catalog.jsonb, "
                "'strict "
                "$.** ? (@.\"Node Type\" == \"Seq Scan\" && @.\"Schema\".type() == \"string\" && @.\"Relation "
                "Name\".type() == \"string\" && @.\"Filter\".type() == \"string\")') AS node LIMIT 100",
                {json});
        },
        is_of_json);
    if (failure) return std::nullopt;
    return scans;
}

} // namespace pgci
