// Checks that the extension still exists.
#pragma once

namespace pgci {

// Raises 55000 if the extension was dropped. A trigger of the target can drop it, or another session between two
// transactions of a run. After this check, no other transaction can drop the extension before this one ends.
void check_extension();

[[noreturn]] void raise_extension_dropped();

} // namespace pgci
