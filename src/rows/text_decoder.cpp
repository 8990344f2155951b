#include "rows/text_decoder.hpp"

#include "server/guard.hpp"
#include "server/settings.hpp"
#include "server/subtransaction.hpp"
#include "ledger/rejects.hpp"

namespace pgci {

TextDecoder::TextDecoder(const ColumnMap &map, MemoryContext memory) {
    const ValueDecoders made = pg_call([&] { return make_value_decoders(map, ValueFormat::text, memory); });
    description_ = made.description;
    decoders_ = made.columns;
}

std::optional<RunFailure> TextDecoder::decode(const std::vector<std::optional<std::string>> &texts, Batch &batch) {
    int column = 0;
    std::optional<RunFailure> failure = in_subtransaction(
        [&] {
            pg_call([&] {
                const int settings = NewGUCNestLevel();
                set_text_input_for_level();
                const Batch::Row row = batch.next();
                for (column = 0; column < description_->natts; ++column) {
                    const auto &text = texts[static_cast<std::size_t>(column)];
                    row.nulls[column] = !text;
                    // The decoder does not write to the text.
                    row.values[column] = text ? decode_value(decoders_[column], const_cast<char *>(text->c_str()),
                                                             static_cast<int>(text->size()), batch.values())
                                              : Datum{0};
                }
                batch.add();
                AtEOXact_GUC(true, settings);
            });
        },
        is_row_error);
    if (failure) failure->column = NameStr(TupleDescAttr(description_, column)->attname);
    return failure;
}

} // namespace pgci
