#include "rows/row_order.hpp"

#include <algorithm>
#include <numeric>

#include "server/guard.hpp"
#include "server/memory.hpp"

namespace pgci {

namespace {

// Compares rows by the columns, as the index of the key does. PostgreSQL code.
class KeyOrder {
  public:
    KeyOrder(const Batch &batch, const OrderColumn *columns, int count)
        : batch_(batch), columns_(columns), count_(count) {
        for (int i = 0; i < count; ++i) {
            SortSupportData &support = support_[i];
            support.ssup_cxt = CurrentMemoryContext;
            support.ssup_collation = columns[i].collation;
            PrepareSortSupportFromOrderingOp(columns[i].less, &support);
        }
    }
    int compare(std::uint32_t a, std::uint32_t b) {
        const Batch::Row first = batch_.row(a);
        const Batch::Row second = batch_.row(b);
        for (int i = 0; i < count_; ++i) {
            const int column = columns_[i].number;
            const int order = ApplySortComparator(first.values[column], first.nulls[column], second.values[column],
                                                  second.nulls[column], &support_[i]);
            if (order != 0) return order;
        }
        return 0;
    }
    bool has_null(std::uint32_t number) const {
        const Batch::Row row = batch_.row(number);
        return std::any_of(columns_, columns_ + count_,
                           [&](const OrderColumn &column) { return row.nulls[column.number]; });
    }

  private:
    const Batch &batch_;
    const OrderColumn *columns_;
    int count_;
    SortSupportData support_[INDEX_MAX_KEYS]{};
};

bool are_ordered(KeyOrder &order, std::uint32_t begin, std::uint32_t end) {
    for (std::uint32_t i = begin; i + 1 < end; ++i)
        if (order.compare(i, i + 1) >= 0) return false;
    return true;
}

int compare_numbers(const void *first, const void *second, void *argument) {
    const std::uint32_t a = *static_cast<const std::uint32_t *>(first);
    const std::uint32_t b = *static_cast<const std::uint32_t *>(second);
    const int order = static_cast<KeyOrder *>(argument)->compare(a, b);
    if (order != 0) return order;
    return a < b ? -1 : 1;
}

// Keeps the last of equal rows and returns the number of rows.
std::size_t keep_last(KeyOrder &order, std::uint32_t *rows, std::size_t count) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; ++i)
        if (i + 1 == count || order.compare(rows[i], rows[i + 1]) != 0) rows[kept++] = rows[i];
    return kept;
}

} // namespace

RowOrder order_rows(const Batch &batch, std::size_t begin, std::size_t end, const std::vector<OrderColumn> &columns) {
    RowOrder result;
    if (columns.empty() || begin == end) return result;
    std::vector<std::uint32_t> rows(end - begin);
    std::iota(rows.begin(), rows.end(), static_cast<std::uint32_t>(begin));
    const TemporaryMemory memory; // of comparisons
    const std::size_t count = pg_call([&, first = rows.data()]() -> std::size_t {
        KeyOrder order(batch, columns.data(), static_cast<int>(columns.size()));
        result.has_null_key = std::any_of(first, first + rows.size(), [&](auto row) { return order.has_null(row); });
        if (are_ordered(order, rows.front(), rows.back() + 1)) return 0;
        qsort_arg(first, rows.size(), sizeof *first, compare_numbers, &order);
        return keep_last(order, first, rows.size());
    });
    rows.resize(count);
    result.rows = std::move(rows);
    return result;
}

} // namespace pgci
