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
	is(() = slurp_file($file) =~ /CREATE TABLE public\.copy_incremental_runs/g, 0, "$format: the table is the extension's") if $format eq 'plain';
	$destination->safe_psql('postgres', "CREATE DATABASE restored_$format");
	my @restore = $format eq 'plain' ? ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $file) : ('pg_restore', '--exit-on-error', $file);
	$destination->command_ok([ @restore, '-d', $destination->connstr("restored_$format") ], "restore, $format");
	is($destination->safe_psql("restored_$format", $runs), $ledger, "$format: the ledger is the same");
	my (undef, undef, $error) = $destination->psql("restored_$format", $call);
	like($error, qr/window 2018-07-29 was already loaded/, "$format: the restored database knows the window");
	is($destination->safe_psql("restored_$format", $call =~ s/2018-07-29/2018-07-30/r . '; SELECT max(run_id) FROM copy_incremental_runs'),
		"0\n2", "$format: the next run has the next number");
}

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
