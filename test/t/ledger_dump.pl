# R42: pg_dump and pg_restore keep the ledger, and a restored database knows what was loaded; DROP EXTENSION leaves
# nothing.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
$_->safe_psql('postgres', 'CREATE TABLE rows (id int, moment timestamptz)') for $source, $destination;
$source->safe_psql('postgres', q[INSERT INTO rows SELECT g, '2018-07-29 12:00+00' FROM generate_series(1, 10) AS g]);

my $call = q[SELECT copy_incremental('src', 'SELECT * FROM rows WHERE moment >= $1 AND moment < $2', '2018-07-29', time_zone => 'UTC')];
is($destination->safe_psql('postgres', $call), 10, 'a run');
my $runs = 'SELECT * FROM copy_incremental_runs ORDER BY run_id';
my $ledger = $destination->safe_psql('postgres', $runs);

my $folder = PostgreSQL::Test::Utils::tempdir();
for my $format ('custom', 'plain')
{
	my $file = "$folder/$format";
	$destination->command_ok([ 'pg_dump', '--format', $format, '--file', $file, $destination->connstr('postgres') ], "pg_dump, $format");
	is(() = slurp_file($file) =~ /CREATE (?:TABLE|VIEW|TYPE) public\.(?:pgci|copy_incremental)_/g, 0, "$format: tables, views and types are the extension's") if $format eq 'plain';
	$destination->safe_psql('postgres', "CREATE DATABASE restored_$format");
	my @restore = $format eq 'plain' ? ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $file) : ('pg_restore', '--exit-on-error', $file);
	$destination->command_ok([ @restore, '-d', $destination->connstr("restored_$format") ], "restore, $format");
	is($destination->safe_psql("restored_$format", $runs), $ledger, "$format: the ledger is the same");
	my (undef, undef, $error) = $destination->psql("restored_$format", $call);
	like($error, qr/window 2018-07-29 of \S+ was already loaded/, "$format: the restored database knows the window");
	is($destination->safe_psql("restored_$format", $call =~ s/2018-07-29/2018-07-30/r . '; SELECT max(run_id) FROM copy_incremental_runs'),
		"0\n2", "$format: the next run has the next number");
}

# Each row can be restored by itself, whatever of the objects that it speaks of is missing: a target that is temporary, was
# dropped or is not part of the dump, a role of another server. A name that comes back is not the same object.
$destination->safe_psql('postgres', <<~SQL);
	CREATE ROLE leaves SUPERUSER;
	CREATE ROLE renamed SUPERUSER;
	CREATE USER MAPPING FOR leaves SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	CREATE USER MAPPING FOR renamed SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	CREATE TABLE dropped (LIKE rows);
	CREATE TABLE left_out (LIKE rows);
	CREATE SCHEMA "Odd ""schema""";
	CREATE TABLE "Odd ""schema"""."-" (LIKE rows);
	SQL
my $into = sub { return $call =~ s/time_zone/target => '$_[0]', time_zone/r };
$destination->safe_psql('postgres', "SET ROLE $_->[0]; " . ($_->[2] // '') . $into->($_->[1]))
  for [ 'leaves', 'dropped' ], [ 'renamed', 'left_out' ], [ 'postgres', '"Odd ""schema"""."-"' ],
  [ 'postgres', 'of_session', 'CREATE TEMP TABLE of_session (LIKE rows); ' ];
$destination->safe_psql('postgres', 'DROP TABLE dropped; DROP USER MAPPING FOR leaves SERVER src; DROP USER MAPPING FOR renamed SERVER src; DROP ROLE leaves; ALTER ROLE renamed RENAME TO another; CREATE ROLE renamed; CREATE ROLE reader');
is($destination->safe_psql('postgres', 'SET ROLE renamed; SELECT count(*) FROM copy_incremental_runs'), 0, 'a role that takes the name of another sees none of its runs');
is($destination->safe_psql('postgres', 'ALTER ROLE another NOSUPERUSER; SET ROLE another; SELECT username, target FROM copy_incremental_runs'), 'another|left_out', 'a renamed role sees its own');
$destination->safe_psql('postgres', 'GRANT pg_read_all_data TO reader; ALTER ROLE reader LOGIN');
$destination->command_ok([ 'pg_dump', '-U', 'reader', '-T', 'left_out', '--format', 'custom', '--file', "$folder/part", $destination->connstr('postgres') ],
	'pg_dump by a role with pg_read_all_data, without a target');
$destination->safe_psql('postgres', 'CREATE DATABASE part; ALTER ROLE another RENAME TO gone');
$destination->command_ok([ 'pg_restore', '--no-owner', '-d', $destination->connstr('part'), "$folder/part" ], 'restore of the part');
is($destination->safe_psql('part', 'SELECT owner, target FROM pgci_runs ORDER BY run_id'),
	join("\n", 'postgres|public.rows', '-|-', '-|-', 'postgres|"Odd ""schema"""."-"', 'postgres|-'), 'each row is there');
is($destination->safe_psql('part', "SELECT username, target FROM copy_incremental_runs WHERE run_id > 1 ORDER BY run_id"),
	join("\n", 'unknown (OID=0)|-', 'unknown (OID=0)|-', 'postgres|"Odd ""schema"""."-"', 'postgres|-'), 'and can be read');
for my $name ('a.b.c.d.e', 'a b', '"', '"a', '')
{
	for my $kind (qw(relation role server))
	{
		my (undef, undef, $error) = $destination->psql('postgres', "SELECT '$name'::pgci_$kind", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
		like($error, qr/ERROR:  (42602|42601|0A000): /, "no name of a $kind: $name");
	}
}
is($destination->safe_psql('postgres', q[SELECT 'nothing.here'::pgci_relation, 'nothing'::pgci_role, 'nothing'::pgci_server, '-'::pgci_role, 'src'::pgci_server]),
	'-|-|-|-|src', 'a name that nothing has');

# Everything in the catalogues that was not there before.
my $objects = <<'SQL';
SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_type), (SELECT count(*) FROM pg_policy),
       (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_description), (SELECT count(*) FROM pg_init_privs),
       (SELECT count(*) FROM pg_depend), (SELECT count(*) FROM pg_attrdef), (SELECT count(*) FROM pg_sequence)
SQL
$destination->safe_psql('postgres', 'CREATE DATABASE other');
my $before = $destination->safe_psql('other', $objects);
$destination->safe_psql('other', 'CREATE EXTENSION pg_copy_incremental');
isnt($destination->safe_psql('other', $objects), $before, 'CREATE EXTENSION makes objects');
$destination->safe_psql('other', 'DROP EXTENSION pg_copy_incremental');
is($destination->safe_psql('other', $objects), $before, 'DROP EXTENSION leaves nothing');

done_testing();
