# Which earlier runs make mode append refuse a window: calls and jobs, queries of the same tables, other ranges and time zones.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\n", destination => "timezone = 'UTC'\n");
on_both(<<~'SQL', $source, $destination);
	CREATE TABLE ev (id int, at timestamptz NOT NULL, v text);
	CREATE SCHEMA other;
	CREATE TABLE other.ev (LIKE ev);
	CREATE TABLE kinds (v text);
	CREATE VIEW ev_view AS TABLE ev;
	CREATE TABLE split (LIKE ev) PARTITION BY RANGE (at);
	CREATE TABLE split_1 PARTITION OF split DEFAULT;
	SQL
$source->safe_psql('postgres', q[INSERT INTO ev SELECT g, timestamptz '2024-01-01' + g * interval '1 hour', 'x' FROM generate_series(0, 71) AS g;
	INSERT INTO other.ev TABLE ev; INSERT INTO kinds VALUES ('x')]);

sub sql { return one_line($destination, 'verbose', @_) }
my $where = 'WHERE at >= $1 AND at < $2';
sub call
{
	my ($query, $day, %argument) = @_;
	return copy_sql($query, $day, target => "'ev'", on_rerun => "'error'", %argument);
}
sub range_call
{
	my ($query, $span, %argument) = @_;
	return call($query, undef, %argument) =~ s/copy_incremental\(/copy_incremental_range(/r =~ s/, NULL, 2000/, '$span', 2000/r;
}
sub job
{
	my ($name, %argument) = @_;
	return define_job($name, delete $argument{query} // "SELECT * FROM ev $where", target => "'ev'", first_day => "'2024-01-01'", time_zone => "'UTC'",
		lag => q[now() - timestamptz '2024-01-04 00:00+00'], %argument);
}
my $clear = 'TRUNCATE ev, pgci_runs, pgci_jobs, pgci_coverage';
my $rows = 'SELECT count(*), count(DISTINCT id) FROM ev';

# What overlaps: each of these comes after the day 2024-01-02, and is another spelling of it or has a part of it.
for my $case (
	[ 'two hours of it', range_call("SELECT * FROM ev $where", '[2024-01-02 10:00+00, 2024-01-02 12:00+00)') ],
	[ 'a range that ends in it', range_call("SELECT * FROM ev $where", '[2024-01-01 00:00+00, 2024-01-02 00:01+00)') ],
	[ 'the day of another time zone', call("SELECT * FROM ev $where", '2024-01-02', time_zone => "'America/New_York'") ],
	[ 'the next day of another time zone', call("SELECT * FROM ev $where", '2024-01-03', time_zone => "'Asia/Tokyo'") ],
	[ 'a comment', call("SELECT *  FROM ev -- the day\n $where", '2024-01-02') ],
	[ 'placeholders', call("SELECT * FROM ev WHERE at >= '{start}' AND at < '{end}'", '2024-01-02') ],
	[ 'window_column', call('SELECT * FROM ev', '2024-01-02', window_column => "'at'") ],
	[ 'the schema', call("SELECT * FROM public.ev $where", '2024-01-02') ],
	[ 'a join', call("SELECT e.* FROM ev AS e JOIN kinds USING (v) $where", '2024-01-02') ],
	[ 'a subquery', call("SELECT * FROM (TABLE ev) AS e $where", '2024-01-02') ],
	[ 'WITH', call("WITH ev AS (SELECT * FROM ev) SELECT * FROM ev $where", '2024-01-02') ],
	[ 'UNION', call("SELECT * FROM other.ev $where UNION ALL SELECT * FROM ev $where", '2024-01-02') ],
	[ 'a condition', call("SELECT * FROM ev $where AND id IN (SELECT id FROM ev)", '2024-01-02') ],
	[ 'the whole table', call('SELECT * FROM ev', undef) ],
	[ 'a job', job('j'), q[SELECT copy_incremental_run('j', '2024-01-02')] ],
	[ 'a job of another query', job('j', query => "SELECT id, at, v FROM ev $where"), q[SELECT copy_incremental_run('j', '2024-01-02')] ])
{
	my ($name, @again) = @$case;
	like(sql($clear, call("SELECT * FROM ev $where", '2024-01-02'), @again), qr/^24 ?ERROR:  PI001: .* DETAIL:  According to copy_incremental_runs, run \d+ of .* wrote 24 rows.* HINT:  \S/,
		"refused: $name");
	is(sql($rows), '24|24', "not doubled: $name");
}
# And what does not
for my $case (
	[ 'the next day', call("SELECT * FROM ev $where", '2024-01-03'), 24 ],
	[ 'another table', call("SELECT * FROM other.ev $where", '2024-01-02'), 24 ],
	[ 'another table that WITH gives the name', call("WITH ev AS (SELECT * FROM other.ev) SELECT * FROM ev $where", '2024-01-02'), 24 ],
	[ 'another target', call("SELECT * FROM ev $where", '2024-01-02', target => "'other.ev'"), 24 ],
	[ 'mode replace', call("SELECT * FROM ev $where", '2024-01-02', mode => "'replace'", replace_where => q['at >= $1 AND at < $2']), 24 ],
	[ 'no table', call(q[SELECT 1 AS id, $1::timestamptz AS at, 'x' AS v WHERE $2::date IS NOT NULL], '2024-01-02'), 1 ],
	[ 'a view, whose tables are not known', call("SELECT * FROM ev_view $where", '2024-01-02'), 24 ],
	[ 'on_rerun run', call("SELECT * FROM ev $where", '2024-01-02', on_rerun => "'run'"), 24 ],
	[ 'a failed run', q[UPDATE pgci_runs SET status = 'failed'], call("SELECT * FROM ev $where", '2024-01-02'), 24 ],
	[ 'what was forgotten', q[SELECT copy_incremental_forget('ev', '2024-01-02', '2024-01-02')], call("SELECT * FROM ev $where", '2024-01-02'), 24 ])
{
	my ($name, @statements) = @$case;
	my $expected = pop @statements;
	like(sql($clear, call("SELECT * FROM ev $where", '2024-01-02'), @statements), qr/^24 (?:1 )?$expected(?:WARNING|$)/, "loaded: $name");
}

# A table and its partitions have the same rows, two partitions do not.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE parted (LIKE ev) PARTITION BY RANGE (id);
	CREATE TABLE below PARTITION OF parted FOR VALUES FROM (0) TO (36) PARTITION BY RANGE (id);
	CREATE TABLE lowest PARTITION OF below FOR VALUES FROM (0) TO (36);
	CREATE TABLE above PARTITION OF parted FOR VALUES FROM (36) TO (100);
	SQL
my %part = (lowest => "SELECT * FROM ev $where AND id < 36", below => "SELECT * FROM ev $where AND id < 36", above => "SELECT * FROM ev $where AND id >= 36", parted => "SELECT * FROM ev $where");
for my $case ([ 'parted', 'lowest' ], [ 'lowest', 'parted' ], [ 'parted', 'above' ], [ 'below', 'lowest' ], [ 'lowest', 'below' ])
{
	my ($first, $second) = @$case;
	like(sql('TRUNCATE parted, pgci_runs', map { call($part{$_}, '2024-01-02', target => "'$_'") } @$case), qr/^\d+ ?ERROR:  PI001: /, "refused: $second after $first");
}
is(sql('TRUNCATE parted, pgci_runs', map { call($part{$_}, '2024-01-02', target => "'$_'") } 'above', 'lowest', 'above') =~ s/ERROR:  (\w+).*/ $1/r, '12 12 PI001', 'loaded: another partition');

# A partition at the source is a part of its table.
$source->safe_psql('postgres', 'INSERT INTO split TABLE ev');
for my $order ([ "split", "split_1" ], [ "split_1", "split" ])
{
	my ($first, $second) = map { call("SELECT * FROM $_ $where", '2024-01-02') } @$order;
	like(sql($clear, $first, $second), qr/^24 ?ERROR:  PI001: .*by another query/, "a partition at the source: @$order");
}

# on_rerun => 'skip' takes nothing for loaded that is not.
my @skip = (on_rerun => "'skip'");
my $day = call("SELECT * FROM ev $where", '2024-01-02', @skip);
is(sql($clear, map({ range_call("SELECT * FROM ev $where", $_) } '[2024-01-01 00:00+00, 2024-01-02 06:00+00)', '[2024-01-02 06:00+00, 2024-01-04 00:00+00)'), $day) =~ s/NOTICE.*//r, '30 42 0',
	'skip: two ranges have all of the day');
like(sql($clear, map({ range_call("SELECT * FROM ev $where", $_) } '[2024-01-01 00:00+00, 2024-01-02 06:00+00)', '[2024-01-02 07:00+00, 2024-01-04 00:00+00)'), $day), qr/^30 41ERROR:  PI001: window 2024-01-02 of public\.\S+ was loaded in part .*HINT:  Use mode replace, upsert or skip; or on_rerun => 'run'; or/,
	'skip: but for an hour');
like(sql($clear, call("SELECT * FROM ev $where AND id % 2 = 0", '2024-01-02'), $day), qr/^12ERROR:  PI001: window 2024-01-02 of public\.\S+ was already loaded by another query .*define a job for each query/,
	'skip: another query may have read other rows');
like(sql($clear, call("SELECT * FROM ev $where", '2024-01-02'), 'UPDATE pgci_runs SET settled = false', $day), qr/^24ERROR:  PI001: window 2024-01-02 of public\.\S+ was loaded before it was settled/,
	'skip: a window that was not settled');

# Jobs
sub covered { my ($name) = @_; return sql("SELECT covered FROM copy_incremental_jobs WHERE job = '$name'"); }
my @half = map { "SELECT * FROM ev $where AND id % 2 = $_" } 0, 1;
is(sql($clear, job('even', query => $half[0]), job('odd', query => $half[1]), q[CALL copy_incremental_catch_up()], $rows) =~ s/NOTICE.*//r, '72|72', 'two jobs of one table and one target load their rows');
like(sql($clear, job('a'), job('b'), q[SELECT copy_incremental_run('a', '2024-01-02')], q[SELECT copy_incremental_run('b', '2024-01-02')]),
	qr/^24ERROR:  PI001: window 2024-01-02 of job "b" into public\.\S+ was already loaded by another job or call/, 'two jobs of one query');
like(sql($clear, job('a'), q[SELECT copy_incremental_run('a', '2024-01-02')], call("SELECT * FROM ev $where", '2024-01-02')), qr/^24ERROR:  PI001: .* by another job or call/, 'a call after a job');
like(sql($clear, call("SELECT * FROM ev $where", '2024-01-02'), job('a'), 'CALL copy_incremental_catch_up()', $rows), qr/^24 72\|72NOTICE:  00000: window 2024-01-02 of job "a" into public\.\S+ was already loaded by another job or call, skipping/,
	'catch_up takes what calls have loaded as loaded');
is(covered('a'), '{["2024-01-01 00:00:00+00","2024-01-04 00:00:00+00")}', 'and covers it');
like(sql($clear, call("$half[0]", '2024-01-02'), job('a'), 'CALL copy_incremental_catch_up()'), qr/WARNING:  .*window 2024-01-02 .* was already loaded by another query/, 'catch_up does not take the rows of another query');
is(sql($rows) . covered('a'), '60|60{["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00"),["2024-01-03 00:00:00+00","2024-01-04 00:00:00+00")}', 'it loads the other days');
like(sql($clear, job('a'), q[SELECT copy_incremental_run('a', '2024-01-02')], q[SELECT copy_incremental_drop_job('a')], job('a'), q[SELECT copy_incremental_run('a', '2024-01-02')]),
	qr/^24 ERROR:  PI001: .* by another job or call/, 'a job that was dropped and defined again');
is(sql('TRUNCATE ev', q[SELECT copy_incremental_forget('ev', '2024-01-02', '2024-01-02')], q[SELECT copy_incremental_run('a', '2024-01-02')]), '1 24', 'after its rows are gone and forgotten, it loads them');
is(sql($clear, job('a'), job('b', mode => "'replace'", window_column => "'at'", query => 'SELECT * FROM ev'), q[SELECT copy_incremental_run('a', '2024-01-02')], q[SELECT copy_incremental_run('b', '2024-01-02')], $rows), '24 24 24|24',
	'mode replace over the window of another job');
no_session_left($source, 'no session is left at the source');
done_testing();
