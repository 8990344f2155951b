// Does the extension whose code this is still exist?
#pragma once

namespace pgci {

// Raises 55000 if the extension was dropped, as a trigger of the target or, between two transactions of a run, another session can
// do it. Else nobody but this transaction can drop it before the transaction ends.
void check_extension();

[[noreturn]] void raise_extension_dropped();

} // namespace pgci
