// Typed values by name: the arguments of an SQL function, whose positions differ between functions, or a row of a
// query.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/pg.hpp"

namespace pgci {

class NamedValues {
  public:
    // The arguments of the call, with the names from CREATE FUNCTION.
    explicit NamedValues(FunctionCallInfo fcinfo);
    NamedValues(std::vector<std::string> names, std::vector<NullableDatum> values)
        : names_(std::move(names)), values_(std::move(values)) {}

    // Returns whether there is a value of this name. SQL objects of an older version of the extension may lack some.
    bool has(const char *name) const { return place(name) >= 0; }
    // Also returns true if there is no such value.
    bool is_null(const char *name) const;
    // The value must not be NULL.
    Datum value(const char *name) const;
    Oid oid(const char *name) const { return DatumGetObjectId(value(name)); }

    std::optional<std::string> optional_text(const char *name) const;
    // These raise 22004 for NULL.
    void require(const char *name) const;
    std::string required_text(const char *name) const;

  private:
    int place(const char *name) const;

    std::vector<std::string> names_{};
    std::vector<NullableDatum> values_{};
};

// Returns the schema of the called function, which is the schema of the extension.
Oid extension_schema(FunctionCallInfo fcinfo);

} // namespace pgci
