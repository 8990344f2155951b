# Who may connect to a source with which credentials, and that no secret is shown: not in messages, not in logs.
use strict;
use warnings;

use TwoServers;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

my ($source, $destination) = start_servers();
my $port = $source->port;
my $marker = $TwoServers::password;
my $socket = $source->host;

$source->safe_psql('postgres', 'CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 3) AS g');
$destination->safe_psql('postgres', <<~SQL);
	CREATE TABLE t (id int);
	CREATE ROLE caller;
	CREATE ROLE superuser_by_role SUPERUSER;
	GRANT EXECUTE ON FUNCTION copy_incremental TO caller;
	GRANT INSERT ON t TO caller;
	GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO caller;
	CREATE EXTENSION dblink;
	SQL

# The call of a user who is no superuser, or of the superuser, by this source.
sub call
{
	my ($role, $text) = @_;
	return "SET ROLE $role; " . copy_sql('SELECT * FROM t', undef, src_conninfo => "\$source\$$text\$source\$", target => "'t'");
}

sub allowed
{
	my ($role, $text, $name) = @_;
	$destination->safe_psql('postgres', 'TRUNCATE t');
	copies($destination, call($role, $text), 3, 'SELECT count(*) FROM t', 3, "$role, allowed: $name");
	return;
}

my $messages = '';

sub refused
{
	my ($role, $text, $sqlstate, $message, $name) = @_;
	$messages .= fails_with($destination, call($role, $text), $sqlstate, $message, "$role, refused: $name");
	return;
}

# By foreign server: USAGE, and a mapping with a password.
refused('caller', 'src', '42501', qr/permission denied for foreign server src/, 'a server without USAGE');
$destination->safe_psql('postgres', 'GRANT USAGE ON FOREIGN SERVER src TO caller');
refused('caller', 'src', '42704', qr/user mapping not found for "caller".*HINT:  Create one with CREATE USER MAPPING FOR caller/s,
	'a server without a user mapping');
$destination->safe_psql('postgres', "CREATE USER MAPPING FOR PUBLIC SERVER src OPTIONS (user 'etl_reader', password '$marker')");
allowed('caller', 'src', 'a server by the mapping of PUBLIC');
$destination->safe_psql('postgres', q[CREATE USER MAPPING FOR caller SERVER src OPTIONS (user 'etl_reader')]);
refused('caller', 'src', '2F003', qr/password is required.*HINT:  Put a password into the user mapping/s, 'a mapping without a password');
$destination->safe_psql('postgres', q[ALTER USER MAPPING FOR caller SERVER src OPTIONS (ADD password '')]);
refused('caller', 'src', '2F003', qr/password is required/, 'a mapping with an empty password');
$destination->safe_psql('postgres', "ALTER USER MAPPING FOR caller SERVER src OPTIONS (SET password '$marker')");
allowed('caller', 'src', 'a server by a mapping of its own');
$destination->safe_psql('postgres', q[ALTER USER MAPPING FOR caller SERVER src OPTIONS (SET user 'etl_trusted')]);
refused('caller', 'src', '2F003', qr/source did not ask for a password.*HINT:  Change the source's authentication method/s,
	'a source that trusts');
$destination->safe_psql('postgres', q[ALTER USER MAPPING FOR caller SERVER src OPTIONS (ADD password_required 'false', DROP password)]);
allowed('caller', 'src', 'a source that trusts, where a superuser set password_required=false');
fails_with($destination, q[SET ROLE caller; ALTER USER MAPPING FOR caller SERVER src OPTIONS (SET password_required 'false')], '42501',
	qr/password_required=false is superuser-only/, 'caller may not set it');
refused('caller', 'no_such_server', '42704', qr/neither a foreign server nor a connection string.*HINT:  Create the server/s,
	'a server that does not exist');

# Servers of a user who is no superuser get no more than a connection string does.
sub own_server
{
	my ($options, $wrapper) = @_;
	$destination->safe_psql('postgres', <<~SQL);
		DROP SERVER IF EXISTS own CASCADE;
		GRANT USAGE ON FOREIGN DATA WRAPPER @{[ $wrapper // 'postgres_fdw' ]} TO caller;
		SET ROLE caller;
		CREATE SERVER own FOREIGN DATA WRAPPER @{[ $wrapper // 'postgres_fdw' ]} OPTIONS ($options);
		CREATE USER MAPPING FOR caller SERVER own OPTIONS (user 'etl_reader', password '$marker');
		SQL
	return;
}
own_server("host '127.0.0.1', port '$port', dbname 'postgres'");
allowed('caller', 'own', 'a server of its own');
own_server("host '$socket', port '$port', dbname 'postgres'");
refused('caller', 'own', '42501', qr/permission denied to connect to a source by a Unix socket/, 'a server of its own with a socket');
$destination->safe_psql('postgres', q[SET ROLE caller; CREATE USER MAPPING FOR PUBLIC SERVER own OPTIONS (user 'etl_trusted')]);
refused('postgres', 'own', '42501', qr/permission denied to connect to a source by a Unix socket/, "a superuser, another role's server with a socket");
own_server("host '127.0.0.1', port '$port', dbname 'postgres'");
$destination->safe_psql('postgres', q[SET ROLE caller; CREATE USER MAPPING FOR PUBLIC SERVER own OPTIONS (user 'etl_trusted')]);
refused('postgres', 'own', '2F003', qr/password is required/, "a superuser, another role's server without a password");
$destination->safe_psql('postgres', q[SET ROLE caller; ALTER USER MAPPING FOR PUBLIC SERVER own OPTIONS (ADD password 'x')]);
refused('postgres', 'own', '2F003', qr/source did not ask for a password/, "a superuser, another role's server, and a source that trusts");
$destination->safe_psql('postgres', qq[SET ROLE caller; ALTER USER MAPPING FOR PUBLIC SERVER own OPTIONS (SET user 'etl_reader', SET password '$marker')]);
allowed('postgres', 'own', "a superuser, another role's server with a password");
own_server("port '$port', dbname 'postgres'");
refused('caller', 'own', '42501', qr/to a source without a host/, 'a server of its own without a host');
own_server("host '127.0.0.1', port '$port', options '-c row_security=on'");
refused('caller', 'own', '42501', qr/permission denied to set connection option "options"/, 'a server of its own with options');
own_server("host '127.0.0.1', port '$port', dbname 'postgres'", 'dblink_fdw');
allowed('caller', 'own', "a server of its own, of dblink's wrapper");
$destination->safe_psql('postgres', <<~SQL);
	DROP SERVER own CASCADE;
	CREATE FOREIGN DATA WRAPPER unchecked;
	CREATE SERVER unchecked FOREIGN DATA WRAPPER unchecked OPTIONS (host '127.0.0.1', port '$port', dbname 'postgres');
	GRANT USAGE ON FOREIGN SERVER unchecked TO caller;
	SET ROLE caller;
	CREATE USER MAPPING FOR caller SERVER unchecked OPTIONS (user 'etl_trusted', password_required 'false');
	SQL
refused('caller', 'unchecked', '2F003', qr/password is required/, 'password_required=false where nobody checks who sets it');
$destination->safe_psql('postgres', q[SET ROLE caller; ALTER USER MAPPING FOR caller SERVER unchecked OPTIONS (ADD password 'x', ADD passfile '/etc/passwd')]);
refused('caller', 'unchecked', '42501', qr/option "passfile"/, 'a file in a mapping that nobody checks');

# What the mapping says in the place of the server is what is checked, and what is used; so it is in a connection string.
$destination->safe_psql('postgres', "ALTER USER MAPPING FOR caller SERVER unchecked OPTIONS (DROP passfile, SET user 'etl_reader', SET password '$marker', ADD host '$socket')");
refused('caller', 'unchecked', '42501', qr/to a source by a Unix socket/, 'a socket in the mapping, and a host in the server');
$destination->safe_psql('postgres', q[ALTER USER MAPPING FOR caller SERVER unchecked OPTIONS (SET host '127.0.0.1,127.0.0.1')]);
refused('caller', 'unchecked', '42501', qr/to one of several hosts/, 'several hosts in the mapping, and one in the server');
$destination->safe_psql('postgres', q[ALTER SERVER unchecked OPTIONS (SET host '192.0.2.1'); ALTER USER MAPPING FOR caller SERVER unchecked OPTIONS (SET host '127.0.0.1')]);
allowed('caller', 'unchecked', 'the host of the mapping, not that of the server');
$destination->safe_psql('postgres', q[ALTER SERVER unchecked OPTIONS (ADD sslmode 'require'); ALTER USER MAPPING FOR caller SERVER unchecked OPTIONS (ADD sslmode 'disable')]);
allowed('caller', 'unchecked', 'the sslmode of the mapping');
$destination->safe_psql('postgres', qq[ALTER SERVER unchecked OPTIONS (ADD password '$marker'); ALTER USER MAPPING FOR caller SERVER unchecked OPTIONS (SET password '')]);
allowed('caller', 'unchecked', 'an empty password in the mapping says nothing');
$destination->safe_psql('postgres', q[ALTER USER MAPPING FOR caller SERVER unchecked OPTIONS (SET password 'wrong')]);
refused('caller', 'unchecked', '08004', qr/password authentication failed/, 'the password of the mapping, not that of the server');

# Whoever has no user mapping is told of roles to become that have one.
$destination->safe_psql('postgres', <<~SQL);
	CREATE ROLE "team member";
	GRANT caller TO "team member";
	GRANT USAGE ON FOREIGN SERVER unchecked TO "team member";
	CREATE ROLE stranger IN ROLE "team member" NOINHERIT;
	GRANT USAGE ON FOREIGN SERVER unchecked TO stranger;
	GRANT EXECUTE ON FUNCTION copy_incremental TO stranger;
	CREATE ROLE nobody;
	GRANT INSERT ON t TO stranger, nobody;
	GRANT USAGE ON FOREIGN SERVER unchecked TO nobody;
	GRANT EXECUTE ON FUNCTION copy_incremental TO nobody;
	SQL
refused($_, 'unchecked', '42704', qr/user mapping not found.*HINT:  Use the one of a role that you are a member of with SET ROLE caller, or create one with CREATE USER MAPPING FOR $_ SERVER unchecked/s,
	'a server whose user mapping is of a role that the user is a member of') for '"team member"', 'stranger';
refused('nobody', 'unchecked', '42704', qr/HINT:  Create one with CREATE USER MAPPING FOR nobody/, "a server with others' user mappings");

# Connection strings of a user who is no superuser.
my $base = "host=127.0.0.1 port=$port dbname=postgres user=etl_reader";
my $good = "$base password=$marker";
allowed('caller', $good, 'a connection string');
refused('caller', "$good host=$socket", '42501', qr/by a Unix socket/, 'a socket after a host');
allowed('caller', "host=$socket $good", 'a host after a socket');
allowed('caller', "postgresql://etl_reader:$marker\@192.0.2.1:$port/postgres?host=127.0.0.1", 'a host in the parameters of a URI');
refused('caller', "postgresql://etl_reader:$marker\@127.0.0.1:$port/postgres?host=$socket", '42501', qr/by a Unix socket/,
	'a socket in the parameters of a URI');
allowed('caller', "$good hostaddr=127.0.0.1 connect_timeout=5 application_name=x keepalives=1 sslmode=prefer target_session_attrs=any",
	'harmless options');
refused('caller', $base, '2F003', qr/password is required/, 'no password');
refused('caller', "$base password=''", '2F003', qr/password is required/, 'an empty password');
refused('caller', "$good user=etl_trusted", '2F003', qr/source did not ask for a password/, 'a source that trusts');
my %denied = (
	'no host' => "port=$port dbname=postgres user=etl_reader password=$marker",
	'an empty host' => "host= $good host=''",
	'a socket' => "$good host=$socket",
	'an abstract socket' => "$good host=\@x",
	'a URI with a socket' => "postgresql://etl_reader:$marker\@" . ($socket =~ s{/}{%2F}gr) . ":$port/postgres",
	'a URI without a host' => "postgresql:///postgres?user=etl_reader&password=$marker",
	'two hosts' => "$good host=127.0.0.1,127.0.0.1",
	'two addresses' => "$good hostaddr=127.0.0.1,127.0.0.1",
	'two ports' => "$good port=$port,$port",
	'two hosts, one a socket' => "$good host=127.0.0.1,$socket");
refused('caller', $denied{$_}, '42501', qr/permission denied to connect.*HINT:  Give one host by TCP/s, $_) for sort keys %denied;
for my $option ('service=x', 'passfile=/etc/passwd', 'sslkey=/etc/key', 'sslcert=/etc/cert', 'sslrootcert=/etc/cert', 'sslcrl=/x',
	"options='-c log_statement=none'", 'requirepeer=postgres', 'krbsrvname=x', 'gssencmode=disable', 'sslpassword=x',
	'replication=database', 'replication=true', 'client_encoding=LATIN1')
{
	my ($keyword) = split '=', $option;
	refused('caller', "$good $option", '42501', qr/permission denied to set connection option "$keyword".*HINT:/s, $option);
}
# dbname is a name and nothing more; the server's own environment and files lend no password.
refused('caller', "$good dbname='host=evil.example port=1 user=x'", '08004', qr/could not connect to source server/,
	'a connection string in dbname');
like(slurp_file($source->logfile), qr/FATAL:  database "host=evil.example port=1 user=x" does not exist/, 'it was the name of a database');

# A superuser may use sockets, and the server's identity; what breaks the protocol is refused to all.
allowed('postgres', "host=$socket port=$port dbname=postgres user=etl_reader", 'a socket without a password');
allowed('postgres', "$base user=etl_trusted", 'no password where the source trusts');
allowed('postgres', "$good host=127.0.0.1,127.0.0.1 port=1,$port", 'two hosts');
allowed('postgres', "$good host=no-such-host.invalid,localhost", 'two host names, of which one has an address');
allowed('postgres', "$good options='-c statement_timeout=60s'", 'options');
for my $option ('replication=database', 'client_encoding=LATIN1', 'client_encoding=auto')
{
	my ($keyword) = split '=', $option;
	refused('postgres', "$good $option", '42501', qr/permission denied to set connection option "$keyword"/, $option);
}

# Connections that fail: 08001, or 08004 if the source refuses, with the reason where it holds no secret.
my $could_not = qr/could not connect to source server/;
for my $case (
	[ "$base password=wrong-$marker", qr/DETAIL:.*password authentication failed for user "etl_reader"/, 'a wrong password', '08004' ],
	[ "$good port=1", qr/DETAIL:.*Connection refused/, 'a port where nobody listens' ],
	[ "$good host=no-such-host.invalid", qr/DETAIL:.*could not translate host name/, 'a host that does not exist' ],
	[ "$good dbname=no_such_database", qr/DETAIL:.*database "no_such_database" does not exist/, 'a database that does not exist', '08004' ],
	[ "$good port=abc", qr/DETAIL:  The reason is not shown/, 'a port that is no number' ],
	[ "$good port=99999", qr/DETAIL:.*invalid port number/, 'a port that is too large' ],
	[ "postgresql://etl_reader:p\@$marker\@127.0.0.1:$port/postgres", qr/The reason is not shown/, 'an "@" in a URI' ])
{
	my ($text, $detail, $name, $state) = @$case;
	refused($_, $text, $state // '08001', qr/$could_not.*$detail.*HINT:/s, $name) for qw(caller postgres);
}
$destination->safe_psql('postgres', <<~SQL);
	CREATE SERVER "wrong db" FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'not there');
	CREATE USER MAPPING FOR PUBLIC SERVER "wrong db" OPTIONS (user 'etl_reader', password '$marker');
	SQL
refused('postgres', 'wrong db', '08004', qr/DETAIL:.*database "not there" does not exist/, "a server's options hold no piece of a password");
refused('postgres', "$good connect_timeout=soon", '22023', qr/"connect_timeout" must be a whole number/, 'a timeout that is no number');

unlike($messages, qr/\Q$marker\E/, 'no message showed the password');
no_session_left($source, 'no session is left at the source');
done_testing();
