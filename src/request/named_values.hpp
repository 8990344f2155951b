// Typed values by their names: the arguments of an SQL function, so that functions that share some may have them at other
// places, or a row that a query has found.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/pg.hpp"

namespace pgci {

class NamedValues {
  public:
    // The arguments, by the names that the function was created with.
    explicit NamedValues(FunctionCallInfo fcinfo);
    NamedValues(std::vector<std::string> names, std::vector<NullableDatum> values)
        : names_(std::move(names)), values_(std::move(values)) {}

    // Is there such a value? An older version of the extension's SQL may lack some.
    bool has(const char *name) const { return place(name) >= 0; }
    // Also true where there is no such value.
    bool is_null(const char *name) const;
    // Of one that is not null.
    Datum value(const char *name) const;

    std::optional<std::string> optional_text(const char *name) const;
    // These raise 22004 for NULL.
    void require(const char *name) const;
    std::string required_text(const char *name) const;

  private:
    int place(const char *name) const;

    std::vector<std::string> names_{};
    std::vector<NullableDatum> values_{};
};

// The schema of the function that was called, and with it of all objects of the extension.
Oid extension_schema(FunctionCallInfo fcinfo);

} // namespace pgci
