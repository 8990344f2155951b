// The arguments of an SQL function by their names, so that functions that share some may have them at other places.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/pg.hpp"

namespace pgci {

class FunctionArguments {
  public:
    // Reads the names that the function was created with.
    explicit FunctionArguments(FunctionCallInfo fcinfo);

    // Does the function have such an argument? An older version of the extension's SQL may lack some.
    bool has(const char *name) const { return place(name) >= 0; }
    // Also true where the function has no such argument.
    bool is_null(const char *name) const;
    // Of an argument that is not null.
    Datum value(const char *name) const;

    std::optional<std::string> optional_text(const char *name) const;
    // These raise 22004 for NULL.
    void require(const char *name) const;
    std::string required_text(const char *name) const;

  private:
    int place(const char *name) const;

    FunctionCallInfo fcinfo_;
    std::vector<std::string> names_;
};

// The schema of the function that was called, and with it of all objects of the extension.
Oid extension_schema(FunctionCallInfo fcinfo);

} // namespace pgci
