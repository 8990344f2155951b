#include "many/session_state.hpp"

namespace pgci {

SessionIdentity current_identity() {
    SessionIdentity identity{};
    identity.database = MyDatabaseId;
    identity.authenticated_user = GetAuthenticatedUserId();
    identity.session_user = GetSessionUserId();
    identity.outer_role = GetCurrentRoleId();
    GetUserIdAndSecContext(&identity.current_user, &identity.security_context);
    return identity;
}

void connect_as(const SessionIdentity &identity) {
    BackgroundWorkerInitializeConnectionByOid(identity.database, identity.authenticated_user, 0);
}

namespace {

// The position of the libraries, which follow the size of the settings and the settings.
Size settings_end(Size settings) { return MAXALIGN(sizeof(Size) + settings); }

} // namespace

Size session_settings_size() { return settings_end(EstimateGUCStateSpace()) + EstimateLibraryStateSpace(); }

void save_session_settings(Size size, char *to) {
    const Size settings = EstimateGUCStateSpace();
    std::memcpy(to, &settings, sizeof settings);
    SerializeGUCState(settings, to + sizeof settings);
    const Size used = settings_end(settings);
    SerializeLibraryState(size - used, to + used);
}

void restore_session_settings(char *from, const SessionIdentity &identity) {
    Size settings = 0;
    std::memcpy(&settings, from, sizeof settings);
    // Load the libraries first, because they define settings.
    RestoreLibraryState(from + settings_end(settings));
    RestoreGUCState(from + sizeof settings);
    // Messages go to the leader, whose encoding is also that of the database.
    SetClientEncoding(GetDatabaseEncoding());
    SetSessionAuthorization(identity.session_user, superuser_arg(identity.session_user));
    SetCurrentRoleId(identity.outer_role,
                     superuser_arg(OidIsValid(identity.outer_role) ? identity.outer_role : identity.session_user));
}

void take_identity(const SessionIdentity &identity) {
    SetUserIdAndSecContext(identity.current_user, identity.security_context);
}

} // namespace pgci
