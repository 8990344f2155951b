# What a run and explain say about the bounds of the window: midnight that belongs to two windows or to none, a column that may be
# NULL, a timestamp without time zone.
use strict;
use warnings;

use TwoServers;
use Test::More;

my $new_york = "timezone = 'America/New_York'\n";
my ($source, $destination) = start_servers(source => $new_york, destination => $new_york);

sub results { return one_line($destination, 'default', @_); }

my $columns = 'id int PRIMARY KEY, at timestamptz NOT NULL, local timestamp NOT NULL, day date, done timestamptz';
on_both("CREATE TABLE ev ($columns); CREATE INDEX ON ev (at)", $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO ev SELECT g, at, at, at, CASE WHEN g % 4 > 0 THEN at END FROM (SELECT g, timestamptz '2018-07-28 00:00-04' + g * interval '1 hour' AS at
	FROM generate_series(0, 95) AS g) AS s; ANALYZE ev; CREATE TABLE fresh AS SELECT * FROM ev LIMIT 0]);
sub load { my ($condition, %argument) = @_; return results('TRUNCATE ev, pgci_runs', copy_sql("SELECT * FROM ev WHERE $condition", '2018-07-29', %argument)); }
sub warnings_of
{
	my ($query, %argument) = @_;
	my $explained = $destination->safe_psql('postgres', 'TRUNCATE pgci_runs; ' . look_sql('explain', $query, '2018-07-29', target => q['ev'], %argument));
	return join ' ', $explained =~ /^warning\|(.*)$/mg;
}

# Midnight.
my %text = (
	end => 'includes the end of the window, so values at the end of a window are loaded with two windows',
	start => 'excludes the start of the window, so values at the start of a window are loaded with no window',
	early => 'ends just before the window does, so values in between are loaded with no window',
	both => 'excludes the start of the window and includes its end, so values at the end of a window are loaded with the window before theirs');
for my $case (
	[ end => 'at BETWEEN $1 AND $2' ], [ end => q[at BETWEEN '{day}' AND '{next_day}'] ], [ end => 'at >= $1 AND at <= $2' ], [ end => '$2 >= at AND at >= $1' ],
	[ end => q[at >= '{start}' AND at <= '{end}'] ], [ end => q[at BETWEEN date '{}' AND date '{}' + 1] ], [ end => q[at >= '{}' AND at <= timestamptz '{}' + interval '1 day'] ],
	[ end => 'day BETWEEN $1 AND $2' ], [ end => 'day >= $1 AND day <= $2' ], [ end => 'at::date BETWEEN $1 AND $2' ], [ end => 'NOT (at < $1 OR at > $2)' ],
	[ end => 'ev.at >= $1 AND at <= $2' ], [ end => 'extract(epoch FROM at) BETWEEN extract(epoch FROM $1::timestamptz) AND extract(epoch FROM $2::timestamptz)' ],
	[ early => q[at >= '{day}' AND at <= '{day} 23:59:59'] ], [ early => q[at >= '{} 00:00:00' AND at < '{} 23:59:59'] ], [ early => q[at BETWEEN '{}' AND timestamptz '{} 23:59:59.999'] ],
	[ early => q[at >= $1 AND at <= $2::timestamptz - interval '1 second'] ], [ early => q[at BETWEEN $1 AND $1::date + interval '23 hours 59 minutes 59 seconds'] ],
	[ start => 'at > $1 AND at < $2' ], [ start => '$1 < at AND $2 > at' ], [ start => q[at > '{}' AND at < '{next_day}'] ], [ both => 'at > $1 AND at <= $2' ],
	[ both => q[day > '{day}' AND day <= '{next_day}'] ])
{
	my ($what, $condition) = @$case;
	my $said = qr/\Q$text{$what}\E/;
	like(load($condition), qr/^\d+ ?WARNING:  public\.ev: query template $said HINT:  Write "?\w+"? >= .* AND "?\w+"? < .*, or use window_column\.$/, "$what, a run: $condition");
	like(warnings_of("SELECT * FROM ev WHERE $condition"), qr/query template $said\. Write/, "$what, explain: $condition");
	like(load('day = $1', verify => 'true', replace_where => "\$w\$$condition\$w\$"), qr/WARNING:  public\.ev: replace_where $said HINT:  Write (?!.*window_column)/, "$what, replace_where: $condition");
}
for my $condition ('at >= $1 AND at < $2', 'day BETWEEN $1 AND $1', q[day BETWEEN '{}' AND '{day}'], 'at < $2 AND done > $1', q[at <= '{next_day}' AND done > '{day}'], q[at >= '{}' AND at <= '{} 23:59:59.999999'],
	q[at >= '{}' AND at < '{} 12:00'], q[day >= '{}' AND day <= date '{next_day}' - 1], 'day > $1::date - 1 AND day <= $1', q[at BETWEEN $1 AND $2::timestamptz - interval '1 microsecond'])
{
	unlike(load($condition), qr/WARNING:  public\.ev: query/, "no warning of a run: $condition");
	unlike(warnings_of("SELECT * FROM ev WHERE $condition"), qr/query template/, "no warning of explain: $condition");
}

# Once for a job.
my $between = 'SELECT * FROM ev WHERE at BETWEEN $1 AND $2';
my $warning = qr/WARNING:  job "daily": query template \Q$text{end}\E HINT: /;
my @job = (first_day => q['2018-07-28'], target => q['ev'], mode => q['upsert']);
like(results(define_job('daily', $between, @job)), qr/^$warning/, 'its definition');
like(results(q[SELECT copy_incremental_run('daily', '2018-07-29')]), qr/^\d+$warning/, 'a run of it');
for my $workers (1, 2)
{
	my $said = results("CALL copy_incremental_backfill('daily', '2018-07-28', '2018-07-31', workers => $workers, reprocess => 'all')");
	is(() = $said =~ /WARNING:  job "daily": query template/g, 1, "backfill by $workers: once") or diag($said);
}

# NULL, and time zones.
like(warnings_of('SELECT * FROM ev WHERE done >= $1 AND done < $2'), qr/column "done" of public\.ev is NULL in about 25\.0% of the rows\. .* day => NULL and a query that has WHERE "?done"? IS NULL/, 'NULLs');
like(warnings_of(q[SELECT id AS done, at FROM ev WHERE done::date = '{}']), qr/column "done" of public\.ev is NULL in about 25/, 'NULLs, with a cast');
like(warnings_of('SELECT * FROM fresh WHERE at >= $1 AND at < $2'), qr/column "at" of public\.fresh may be NULL\./, 'nullable, without statistics');
is(warnings_of('SELECT * FROM ev WHERE at >= $1 AND at < $2'), '', 'NOT NULL, timestamptz: no warning');
is(warnings_of(q[SELECT * FROM ev WHERE at >= '{}' AND at < '{next_day}']), '', 'NOT NULL, timestamptz, placeholders: no warning');
my $naive = qr/has no time zone, and is compared with local time of America\/New_York; if it holds another, write \$1::timestamptz AT TIME ZONE 'UTC', or use window_column and column_time_zone/;
for my $condition ('local >= $1 AND local < $2', q[local >= '{}' AND local < '{next_day}'], 'local::date = $1', q[local::date = '{}'])
{
	like(warnings_of("SELECT * FROM ev WHERE $condition"), qr/column "local" $naive/, "a timestamp: $condition");
}
like(warnings_of('SELECT e.* FROM ev AS e JOIN fresh AS f USING (id) WHERE f.local >= $1 AND f.local < $2'), qr/\$1 $naive/, 'a timestamp in a join');
for my $condition (q[local >= $1::timestamptz AT TIME ZONE 'UTC' AND local < $2::timestamptz AT TIME ZONE 'UTC'], q[local AT TIME ZONE 'UTC' >= '{start}' AND local AT TIME ZONE 'UTC' < '{end}'],
	q[(local AT TIME ZONE 'UTC')::date = $1])
{
	is(warnings_of("SELECT * FROM ev WHERE $condition"), '', "no warning: $condition");
}
is($destination->safe_psql('postgres', join ';', 'TRUNCATE ev', copy_sql(q[SELECT * FROM ev WHERE local >= $1::timestamptz AT TIME ZONE 'UTC' AND local < $2::timestamptz AT TIME ZONE 'UTC'], '2018-07-29'),
		'SELECT min(local) FROM ev'), "24\n2018-07-29 04:00:00", 'local time of UTC');
like(warnings_of(q[SELECT '{}'::date AS day, id FROM ev WHERE at < '{next_day}']), qr/the query has an upper bound but no lower bound: each window is a snapshot/, 'a snapshot');

# What explain and the reference suggest for rows whose date is NULL.
my @null = ('SELECT * FROM ev WHERE done IS NULL', undef, mode => q['replace'], replace_where => q['done IS NULL']);
is(results('TRUNCATE ev, pgci_runs', copy_sql('SELECT * FROM ev WHERE done >= $1 AND done < $2', '2018-07-29'), copy_sql(@null), copy_sql(@null), q[SELECT count(*), count(done) FROM ev]), '18 24 24 42|18',
	'rows whose date is NULL, twice');

done_testing();
