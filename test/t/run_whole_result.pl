# Jobs without windows (window_size => NULL): a run, verify and repair take the whole result of the query. And verify and repair over
# ranges of days, in one transaction or in one for each window.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(destination => "max_worker_processes = 20\n");
$destination->safe_psql('postgres', "ALTER DATABASE postgres SET TimeZone = 'UTC'");
on_both('CREATE TABLE products (id int PRIMARY KEY, name text, price numeric)', $source, $destination);
$source->safe_psql('postgres', "INSERT INTO products SELECT g, 'product ' || g, g / 3.0 FROM generate_series(1, 500) AS g");
sub is_equal
{
	my ($table, $name) = @_;
	my ($theirs, $ours) = map { $_->safe_psql('postgres', "SELECT t::text FROM $table AS t ORDER BY 1") } $source, $destination;
	return ok($theirs eq $ours && $theirs ne '', $name);
}

for my $mode ('upsert', 'replace', 'append')
{
	$destination->safe_psql('postgres', 'TRUNCATE products, pgci_runs; ' . define_job($mode, 'SELECT * FROM products', mode => "'$mode'", window_size => 'NULL'));
	my $run = "SELECT copy_incremental_run('$mode', NULL)";
	is($destination->safe_psql('postgres', $run), 500, "$mode: a run loads all rows");
	fails_with($destination, $run, 'PI001', qr/the whole result of job "append" into public.products was already loaded/, 'append: and refuses to do it again') if $mode eq 'append';
	is($destination->safe_psql('postgres', "SELECT * FROM copy_incremental_verify('$mode', NULL)"), '|||t|500|500|0|0|0', "$mode: verify, equal");
	$destination->safe_psql('postgres', "UPDATE products SET name = 'x' WHERE id < 4; DELETE FROM products WHERE id = 10; INSERT INTO products VALUES (0), (-1)");
	is($destination->safe_psql('postgres', "SELECT * FROM copy_incremental_verify('$mode', NULL)"), '|||f|500|501|1|2|3', "$mode: verify");
	is($destination->safe_psql('postgres', "SELECT count(*) FROM copy_incremental_verify_rows('$mode', NULL)"), 6, "$mode: verify_rows");
	is($destination->safe_psql('postgres', "SELECT * FROM copy_incremental_repair('$mode', NULL, NULL, 'ignore')"), '|||1|3|0|500', "$mode: repair, extra rows stay");
	is($destination->safe_psql('postgres', "SELECT * FROM copy_incremental_repair('$mode', NULL, NULL)"), '|||0|0|2|500', "$mode: repair");
	is_equal('products', "$mode: equal");
	is($destination->safe_psql('postgres', "SELECT mode, status, data_interval IS NULL, rows_written, rows_deleted, source_rows FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1"),
		'repair|succeeded|t|0|2|500', "$mode: the ledger");
	is($destination->safe_psql('postgres', "SELECT window_size, covered, missing_windows, behind, last_success_at > now() - interval '1 hour' FROM copy_incremental_jobs WHERE job = '$mode'"),
		'|{}|||t', "$mode: the view of jobs");
	like($destination->safe_psql('postgres', "SELECT string_agg(item || '=' || value, ';') FROM copy_incremental_explain('$mode')"), qr/window size=none.*;window=the whole result;/s, "$mode: explain");
	is($destination->safe_psql('postgres', "SELECT count(*) FROM copy_incremental_describe('$mode')"), 3, "$mode: describe");
}
for my $case (
	[ 'a day', "SELECT copy_incremental_run('upsert', '2024-01-01')", '22023', qr/job "upsert" has no windows/ ],
	[ 'days', "SELECT copy_incremental_repair('upsert', '2024-01-01', '2024-01-02')", '22023', qr/job "upsert" has no windows/ ],
	[ 'one day', "SELECT copy_incremental_repair('upsert', '2024-01-01', NULL)", '22004', qr/last_day/ ],
	[ 'backfill', "CALL copy_incremental_backfill('upsert', '2024-01-01', '2024-01-01')", '22023', qr/job "upsert" has no windows/ ],
	[ 'missing', "SELECT copy_incremental_missing('upsert', '2024-01-01', '2024-01-01')", '22023', qr/job "upsert" has no windows/ ],
	[ 'catch_up of it', "CALL copy_incremental_catch_up('upsert')", '22023', qr/job "upsert" has no windows/ ],
	[ 'start', "SELECT copy_incremental_start('upsert', NULL)", '0A000', qr/needs a job with windows/ ],
	[ 'window_column', define_job('no', 'SELECT * FROM products', window_size => 'NULL', window_column => "'id'"), '22023', qr/window_column has no meaning without a window/ ],
	[ 'a placeholder', define_job('no', "SELECT * FROM products WHERE name < '{}'", window_size => 'NULL'), '22023', qr/placeholder/ ],
	[ 'no day in a job with windows', define_job('no', 'SELECT * FROM products'), '22023', qr/query template has no placeholder for the day.*window_size => NULL/s ])
{
	my ($name, $sql, $state, $message) = @$case;
	fails_with($destination, $sql, $state, $message, "refused: $name");
}
like(one_line($destination, 'default', 'CALL copy_incremental_catch_up()'), qr/no job of role "postgres" has a window that is due and missing/, 'catch_up of all jobs leaves them out');
is($destination->safe_psql('postgres', q[SELECT copy_incremental_forget('products', NULL, NULL, 'append') > 0]), 't', 'forget');

# --- ranges
on_both('CREATE TABLE users (id int PRIMARY KEY, at timestamptz NOT NULL, name text)', $source, $destination);
$source->safe_psql('postgres', "INSERT INTO users SELECT g, timestamptz '2024-01-01' + g * interval '1 hour', 'user ' || g FROM generate_series(0, 95) AS g");
$destination->safe_psql('postgres', define_job('users', 'SELECT * FROM users', mode => "'replace'", first_day => "'2024-01-01'", window_column => "'at'"));
$destination->safe_psql('postgres', define_job('hours', 'SELECT * FROM users', mode => "'replace'", first_day => "'2024-01-01'", window_column => "'at'", window_size => "'12 hours'"));
$destination->safe_psql('postgres', "CALL copy_incremental_backfill('users', '2024-01-01', '2024-01-04')");
my $damage = "UPDATE users SET name = 'x' WHERE id IN (5, 6, 30); DELETE FROM users WHERE id = 80; INSERT INTO users VALUES (1000, '2024-01-03', 'extra')";
$destination->safe_psql('postgres', $damage);
is($destination->safe_psql('postgres', "SELECT day, matches, source_rows, target_rows, missing, extra, changed FROM copy_incremental_verify('users', '2024-01-01', '2024-01-04')"),
	"2024-01-01|f|24|24|0|0|2\n2024-01-02|f|24|24|0|0|1\n2024-01-03|f|24|25|0|1|0\n2024-01-04|f|24|23|1|0|0", 'verify: a row for each window');
is($destination->safe_psql('postgres', "SELECT day, data_interval, matches FROM copy_incremental_verify('hours', '2024-01-01', '2024-01-01')"),
	qq{2024-01-01|["2024-01-01 00:00:00+00","2024-01-01 12:00:00+00")|f\n2024-01-01|["2024-01-01 12:00:00+00","2024-01-02 00:00:00+00")|t}, 'verify: windows of hours');
is($destination->safe_psql('postgres', "SELECT day, data_interval, matches FROM copy_incremental_verify('hours', '2024-01-01')"),
	'2024-01-01|["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00")|f', 'verify: or the day that they are in');
for my $workers (1, 3)
{
	$destination->safe_psql('postgres', "TRUNCATE pgci_runs");
	my $said = one_line($destination, 'default', "CALL copy_incremental_backfill('users', '2024-01-01', '2024-01-04', workers => $workers, reprocess => 'different')");
	like($said, qr/job "users": 4 windows, 4 rows/, "backfill, $workers workers: says what it has written");
	is_equal('users', "backfill, $workers workers: equal");
	is($destination->safe_psql('postgres', 'SELECT mode, status, rows_written, rows_deleted FROM copy_incremental_runs ORDER BY data_interval'),
		"repair|succeeded|2|0\nrepair|succeeded|1|0\nrepair|succeeded|0|1\nrepair|succeeded|1|0", "backfill, $workers workers: each window is a run");
	$destination->safe_psql('postgres', $damage);
}
$destination->safe_psql('postgres', 'ALTER TABLE users ADD CONSTRAINT no CHECK (id <> 80)');
fails_with($destination, "CALL copy_incremental_backfill('users', '2024-01-01', '2024-01-04', reprocess => 'different')", '23514', qr/1 of 4 windows of job "users" failed.*stay repaired/s, 'backfill: a window fails');
is($destination->safe_psql('postgres', "SELECT string_agg(matches::text, ' ') FROM copy_incremental_verify('users', '2024-01-01', '2024-01-04')"), 'true true true false', 'backfill: the others are repaired');
is($destination->safe_psql('postgres', "SELECT mode, sqlstate FROM copy_incremental_runs WHERE status = 'failed'"), 'repair|23514', 'backfill: and the failure is recorded');
done_testing();
