# No part of a password is shown, whatever is wrong with the connection string: not to the client, not in the servers'
# logs, not in the ledger, not in what other users see of a run. A thousand strings are made by a generator with a
# fixed seed.
use strict;
use warnings;

use TwoServers;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

# The user's own statements are not what this is about, so they are not logged; everything else is.
my ($source, $destination) = start_servers(destination => <<~CONF);
	log_statement = none
	log_min_error_statement = panic
	log_min_messages = debug5
	CONF
my $port = $source->port;
my $marker = qr/S3CRET/;

$source->safe_psql('postgres', 'CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 3) AS g');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE t (id int);
	CREATE ROLE caller LOGIN;
	GRANT EXECUTE ON FUNCTION copy_incremental TO caller;
	GRANT INSERT ON t TO caller;
	CREATE EXTENSION dblink;
	SQL

# Passwords with everything that is easily forgotten to be quoted.
no warnings 'qw';
my @passwords = (qw(~ ~@x x@~ x@~@y ~/x x/~ 12/~ ~?x x?~ 1?~=2 ~?x=1 ~#x x#~ ~%x x%~ x%20~ [~] x@[~] ~:x x:~
  ~&x x&~=1 ~=x x=~ '~ ~' '~' \\~ ~\\ ~,x 12,~ +~ $~ ~;x "~" x@~?application_name=y 1/~?application_name=y 1/~?cursor= x@~/y?sslmode=z é~ {~}), '~ x', 'x ~', ' ~', '~ ', "~\tx");
s/~/S3CRET/ for @passwords;

sub percent
{
	return join '', map { /[A-Za-z0-9]/ ? $_ : sprintf '%%%02X', ord } split //, $_[0];
}

sub pick { return $_[ int rand @_ ]; }

# The ways of writing a connection string, right and wrong, as functions of a password.
my @shapes = (
	sub { "host=127.0.0.1 port=$port dbname=postgres user=etl_reader password=$_[0]" },
	sub { "host=127.0.0.1 port=$port password=$_[0] dbname=postgres user=etl_reader" },
	sub { "host = 127.0.0.1 port = $port user = etl_reader password = $_[0]" },
	sub { "password='$_[0] host=127.0.0.1 port=$port user=etl_reader" },
	sub { "host=127.0.0.1 port=$port user='etl_reader password='$_[0]'" },
	sub { "host=127.0.0.1,port=$port,user=etl_reader,password=$_[0]" },
	sub { "host=127.0.0.1;port=$port;user=etl_reader;password=$_[0]" },
	sub { "host=127.0.0.1 port=$port user=etl_reader:$_[0]" },
	sub { "host=127.0.0.1 port=$port user=etl_reader/$_[0]" },
	sub { "host=etl_reader:$_[0]\@127.0.0.1 port=$port" },
	sub { "host=127.0.0.1 port=$port user=etl_reader passwrd=$_[0]" },
	sub { "host=127.0.0.1 port=$port user=etl_reader password $_[0]" },
	sub { "host=127.0.0.1 port=$port user=etl_reader password:$_[0]" },
	sub { "host=127.0.0.1 port=$port user=etl_reader password='$_[0]' connect_timeout='$_[0]'" },
	sub { "host=127.0.0.1 port=$port user=etl_reader password='x' dbname='password=$_[0]'" },
	sub { "dbname='postgresql://etl_reader:$_[0]\@127.0.0.1:$port/postgres'" },
	sub { "etl_reader/$_[0]\@127.0.0.1:$port/postgres" },
	sub { "etl_reader:$_[0]\@127.0.0.1:$port/postgres" },
	sub { pick('postgres', 'postgresql', 'postgresql+psycopg2') . "://etl_reader:$_[0]\@127.0.0.1:$port/postgres" },
	sub { "postgresql://etl_reader:$_[0]\@127.0.0.1:$port/postgres?sslmode=prefer&cursor=dictcursor" },
	sub { "postgresql://etl_reader:" . percent($_[0]) . "\@127.0.0.1:$port/postgres" },
	sub { "postgresql://127.0.0.1:$port/postgres?user=etl_reader&password=$_[0]" },
	sub { "postgresql://127.0.0.1:$port/postgres?user=etl_reader&passwrd=$_[0]" },
	sub { "postgresql://127.0.0.1:$port/postgres?$_[0]" },
	sub { "postgresql://etl_reader:$_[0]\@[::1/postgres" },
	sub { "postgresql://etl_reader\@$_[0]\@127.0.0.1:$port/postgres" },
	sub { "postgresql:/etl_reader:$_[0]\@127.0.0.1:$port/postgres" },
	sub { pick('mysql', 'jdbc:postgresql', 'Postgresql', ' postgresql') . "://etl_reader:$_[0]\@127.0.0.1:$port/postgres?x=y" },
	sub { "jdbc:postgresql://127.0.0.1:$port/postgres?user=etl_reader&password=$_[0]" },
	sub { "postgres://127.0.0.1:$port/postgres?__extra__=" . percent("{\"user\": \"etl_reader\", \"password\": \"$_[0]\"}") },
	sub { "postgres://127.0.0.1:$port/postgres?__extra__=" . percent("{\"password\": \"$_[0]\"") },
	sub { "postgres://127.0.0.1:$port/postgres?__extra__=" . percent("{\"password\": {\"x\": \"$_[0]\"}}") },
	sub { "postgres://127.0.0.1:$port/postgres?__extra__=" . percent("[\"$_[0]\"]") },
	sub { "postgres://127.0.0.1:$port/postgres?__extra__=" . percent("{\"$_[0]\": 1}") },
	sub { "postgres://127.0.0.1:$port/postgres?__extra__=$_[0]" });

srand 20180729;
my @strings;
for my $shape (@shapes)
{
	my @rest = sort { rand() <=> 0.5 } @passwords;
	push @strings, map { $shape->($_) } 'S3CRET-marker', (sort { $a cmp $b } @rest)[ map { int rand @rest } 1 .. 29 ];
}

# Runs a statement for every string in one session, as this role; what psql showed, with all fields of the errors.
sub run_all
{
	my ($role, $statement) = @_;
	my $sql = "SET ROLE $role;\n" . join '', map { sprintf("$statement;\n", s/'/''/gr) } @strings;
	my ($status, $out, $err) = $destination->psql('postgres', $sql, on_error_stop => 0,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return "$out\n$err";
}

sub hits { my $n = () = $_[0] =~ /$marker/g; return $n; }

my ($source_log, $destination_log) = map { -s $_->logfile } $source, $destination;
for my $role ('postgres', 'caller')
{
	my $shown = run_all($role, "SELECT copy_incremental('%s', 'SELECT * FROM t', NULL, on_rerun => 'run')");
	my %states;
	$states{$_}++ for $shown =~ /ERROR:  (\w{5}):/g;
	my $copied = () = $shown =~ /^3$/mg;
	my $outcomes = $copied;
	$outcomes += $_ for values %states;
	is($outcomes, scalar @strings, "$role: every string had its outcome");
	is(hits($shown), 0, "$role: the client saw nothing of the password")
	  or diag(join "\n", grep { /$marker/ } split /\n/, $shown);
	ok(($states{'08001'} // 0) + ($states{'08004'} // 0) > 20 && ($states{'22023'} // 0) > 20 && $copied > 0, "$role: the strings are of many kinds");
	is(join(' ', grep { !/^(08001|08004|22023|42704|42501|2F003)$/ } sort keys %states), '', "$role: no other SQLSTATE");
	note(sprintf '%s: %d strings, %d copied, errors: %s', $role, scalar @strings, $copied,
		join ', ', map { "$_: $states{$_}" } sort keys %states);
}
for my $log ([ $destination, $destination_log, 'destination' ], [ $source, $source_log, 'source' ])
{
	my ($node, $offset, $name) = @$log;
	my @lines = grep { /$marker/ } split /\n/, slurp_file($node->logfile, $offset);
	is(scalar @lines, 0, "the log of the $name shows nothing of the password") or diag(join "\n", @lines);
}
is($destination->safe_psql('postgres', q[SELECT count(*) FILTER (WHERE r::text ~ 'S3CRET'), count(*) > 0 FROM copy_incremental_runs AS r]),
	'0|t', 'the ledger shows nothing of the password');
my $by_libpq = run_all('postgres', "SELECT dblink_connect('x', '%s'), dblink_disconnect('x')");
diag(sprintf '%d connection strings: the password in none of the messages, logs and ledger rows of %d runs; in %d messages of dblink',
	scalar @strings, 2 * @strings, scalar grep { /$marker/ } split /^(?=psql:\S+ ERROR:)/m, $by_libpq);

# A run by foreign server, while it waits for a lock at the source: what other sessions see of it on both sides.
my $lock = $source->background_psql('postgres');
$lock->query_safe('SELECT pg_advisory_lock(1)');
my $run = $destination->background_psql('postgres');
start_call($run, copy_sql('SELECT id FROM t, LATERAL (SELECT pg_advisory_lock_shared(1)) AS l OFFSET 0', undef, target => "'t'"));
ok(wait_until($source, q[SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'etl_reader' AND wait_event_type = 'Lock']),
	'a run is under way');
for my $node ($source, $destination)
{
	is($node->safe_psql('postgres', q[SELECT count(*) FROM pg_stat_activity AS a WHERE a::text ~ 'S3CRET' AND pid <> pg_backend_pid()]),
		0, 'pg_stat_activity of the ' . $node->name . ' shows nothing of the password');
}
is($source->safe_psql('postgres', q[SELECT application_name FROM pg_stat_activity WHERE usename = 'etl_reader']), 'copy_incremental',
	'the source sees who is connected');
$lock->quit;
$run->quit;

no_session_left($source, 'no session is left at the source');
# With hostaddr the host may be any text, and a role of the source that needs no password takes a password that was cut
# short. What is no name is in the ledger as a digest, by which such sources differ.
$destination->safe_psql('postgres', 'CREATE TABLE seen AS SELECT max(run_id) FROM copy_incremental_runs');
my @sources = map { sprintf $_, $port } (
	'postgresql://etl_trusted:pa@S3CRET@h:%d/postgres?hostaddr=127.0.0.1',
	'postgresql://etl_trusted:pa@h:%d/postgres?hostaddr=127.0.0.1',
	'host=S3CRET@g hostaddr=127.0.0.1 port=%d dbname=postgres user=etl_trusted',
	'host=etl:S3CRET hostaddr=127.0.0.1 port=%d dbname=postgres user=etl_trusted',
	'host=h hostaddr=127.0.0.1 port=%d dbname=db@S3CRET user=etl_trusted',
	'host=h hostaddr=127.0.0.1 port=%d dbname=S3CRET@db user=etl_trusted');
$source->safe_psql('postgres', qq[CREATE DATABASE "$_" TEMPLATE template0]) for 'db@S3CRET', 'S3CRET@db';
$source->safe_psql($_, 'CREATE TABLE t AS SELECT 1 AS id; GRANT SELECT ON t TO PUBLIC') for 'db@S3CRET', 'S3CRET@db';
for my $conninfo (@sources)
{
	my @call = ('SELECT id FROM t', undef, src_conninfo => "'$conninfo'");
	my $name = $conninfo =~ s/$port/.../r;
	like($destination->safe_psql('postgres', copy_sql(@call)), qr/^[13]$/, "$name: copied");
	my $explained = $destination->safe_psql('postgres', look_sql('explain', @call));
	like($explained, qr/^source\|(h:$port\/postgres|connection string [0-9a-f]{16}), PostgreSQL/m, "$name: explain says which source it is");
	unlike($explained, $marker, "$name: explain shows nothing of the password");
}
my $runs = $destination->safe_psql('postgres', 'SELECT source FROM copy_incremental_runs WHERE run_id > (SELECT max FROM seen) ORDER BY run_id');
unlike($runs, $marker, 'the sources in the ledger show nothing of the password') or diag($runs);
is($destination->safe_psql('postgres', 'SELECT count(DISTINCT source) FROM copy_incremental_runs WHERE run_id > (SELECT max FROM seen)'),
	scalar @sources, 'the sources in the ledger differ');

done_testing();
