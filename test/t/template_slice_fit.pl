# Mode replace with replace_where: a slice whose window is not that of the query is refused before anything connects, because each
# run would delete rows that it does not load. A text that could be right is never refused.
use strict;
use warnings;

use TwoServers;
use Test::More;

my $new_york = "timezone = 'America/New_York'\n";
my ($source, $destination) = start_servers(source => $new_york, destination => $new_york);

# One row an hour, four days of New York.
on_both('CREATE TABLE ev (id int PRIMARY KEY, at timestamptz NOT NULL, local timestamp, day date, dd text, epoch bigint)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO ev SELECT g, at, at, at::date, at::date::text, extract(epoch FROM at)
	FROM (SELECT g, timestamptz '2018-07-28 00:00-04' + g * interval '1 hour' AS at FROM generate_series(0, 95) AS g) AS s]);

sub results { return one_line($destination, 'default', @_); }
# No server of this name exists: what is refused is refused before anything connects.
sub refused
{
	my ($query, $slice, %argument) = @_;
	$query = "SELECT * FROM ev WHERE $query" unless $query =~ /^(SELECT|WITH)/;
	return results(copy_sql($query, '2018-07-29', src_conninfo => q['nowhere'], target => q['ev'], mode => q['replace'], replace_where => "\$w\$$slice\$w\$", %argument));
}
my $fits = qr/^ERROR:  src_conninfo is neither/;
my $hint = qr/HINT:  Write the same bounds in both, such as "?\w+"? >= .* AND "?\w+"? < .*, or use window_column instead of both\./;

# Rows were lost without a word: 48 became 24.
my $half_open = 'at >= $1 AND at < $2';
my $two_days = 'at >= $1 AND at < $1::date + 2';
is(refused($half_open, $two_days),
	'ERROR:  replace_where selects another window than the query DETAIL:  The query selects rows from 2018-07-29 00:00:00 to 2018-07-30 00:00:00, and replace_where rows '
	  . 'from 2018-07-29 00:00:00 to 2018-07-31 00:00:00. Each run would delete rows that it does not load. HINT:  Write the same bounds in both, such as "at" >= $1 AND "at" < $2, '
	  . 'or use window_column instead of both. CONTEXT:  copying 2018-07-29', 'the message');
my $loaded = q[SELECT count(*), count(DISTINCT id) FROM ev];
my @days = map { copy_sql("SELECT * FROM ev WHERE $half_open", $_, mode => q['replace'], replace_where => "'$two_days'") } '2018-07-30', '2018-07-29';
is(results('TRUNCATE ev', (map { copy_sql("SELECT * FROM ev WHERE $half_open", $_) } '2018-07-29', '2018-07-30'), 'SELECT 1', $loaded) =~ s/WARNING.*?HINT: \S+ //gr, '24 24 1 48|48', 'two days');
$destination->psql('postgres', $_) for @days;
is(results($loaded), '48|48', 'two days, each replaced');

# Wider at one end or both.
for my $case (
	[ $half_open, $two_days ], [ $half_open, q[at >= '{day}' AND at < date '{day}' + 2] ], [ $half_open, q[at >= '{}'::date AND at < '{}'::date + interval '2 days'] ],
	[ $half_open, 'at >= $1::date - 1 AND at < $2' ], [ $half_open, q[at >= '{start}' AND at < '{end}'::timestamptz + interval '1 hour'] ], [ $half_open, 'at::date >= $1 AND at::date <= $2' ],
	[ $half_open, 'at::date BETWEEN $1 AND $2' ], [ $half_open, q[at >= $1::date - interval '1 day' * 7 AND at < $2] ], [ 'at::date = $1', 'at >= $1 AND at < $1::date + 2' ],
	[ q[at::date = date '{}'], q[at >= '{}' AND at < date '{next_day}' + 1] ], [ 'day = $1', 'day BETWEEN $1 AND $2' ], [ q[day = '{}'], q[day >= '{}' AND day <= '{next_day}'] ],
	[ q[at >= '{}' AND at < '{} 12:00'], $half_open ], [ q[at >= $1 AND at < $1::date + interval '12 hours'], $half_open ],
	[ 'SELECT id, at AS at FROM ev WHERE at >= $1 AND at < $2', $two_days ], [ 'SELECT ev.* FROM ev JOIN other USING (id) WHERE ev.at >= $1 AND ev.at < $2', $two_days ],
	[ 'SELECT id, created AS at FROM ev WHERE created >= $1 AND created < $2', $two_days ], [ 'SELECT id, created::date AS day FROM ev WHERE created >= $1 AND created < $2', 'day >= $1 AND day < $1::date + 2' ],
	[ 'epoch >= extract(epoch FROM $1::timestamptz) AND epoch < extract(epoch FROM $2::timestamptz)', 'epoch >= extract(epoch FROM $1::timestamptz) AND epoch < extract(epoch FROM ($1::date + 2)::timestamptz)' ])
{
	my ($query, $slice) = @$case;
	like(refused($query, $slice), qr/^ERROR:  replace_where selects another window than the query DETAIL:  .*delete rows that it does not load\. $hint/, "wider: $query | $slice");
}
# Narrower.
for my $case ([ $half_open, q[at >= '{}' AND at < '{} 12:00'] ], [ 'at >= $1 AND at < $1::date + 2', $half_open ], [ q[at >= $1::date - interval '7 days' AND at < $2], 'at::date = $1' ])
{
	my ($query, $slice) = @$case;
	like(refused($query, $slice), qr/^ERROR:  replace_where selects another window than the query DETAIL:  .*load rows that no run deletes\. $hint/, "narrower: $query | $slice");
}
# A job, the procedure, window_column, and a range.
like(results(define_job('wide', "SELECT * FROM ev WHERE $half_open", target => q['ev'], mode => q['replace'], replace_where => "'$two_days'")), qr/^ERROR:  replace_where selects another window/, 'a job');
like(results(by_batches(copy_sql("SELECT * FROM ev WHERE $half_open", '2018-07-29', mode => q['replace'], replace_where => "'$two_days'"))), qr/^ERROR:  replace_where selects another window/, 'the procedure');
like(refused('SELECT * FROM ev', $two_days, window_column => q['at']), qr/^ERROR:  replace_where selects another .* HINT:  Leave out replace_where, because window_column derives it/, 'window_column');
like(refused($half_open, $two_days, lookback => 1), $fits, 'lookback: the window has two days');
like(refused($half_open, $half_open, lookback => 3), $fits, 'lookback');
sub range { my ($slice) = @_; return results("SELECT copy_incremental_range('nowhere', 'SELECT * FROM ev WHERE $half_open', tstzrange('2018-07-29 10:00', '2018-07-29 11:00'), target => 'ev', mode => 'replace', replace_where => \$w\$$slice\$w\$)"); }
like(range(q[at >= '{start}' AND at < '{start}'::timestamptz + interval '2 hours']), qr/^ERROR:  replace_where selects another .* from 2018-07-29 10:00:00 to 2018-07-29 12:00:00\./, 'an hour, and two');
like(range($_), $fits, "an hour: $_") for q[at >= '{start}' AND at < '{start}'::timestamptz + interval '1 hour'], $half_open, q[at >= '{start}' AND at < '{end}'], q[at >= '{end}'::timestamptz - interval '60 minutes' AND at < '{end}'];

# The same window, or one that may be.
my @same = (
	$half_open, '$1 <= at AND $2 > at', 'at >= $1 AND at < $1::date + 1', q[at >= $1::date AND at < $1::date + interval '1 day'], q[at >= '{start}' AND at < '{end}'], q[at >= '{day}' AND at < '{next_day}'],
	q[at >= '{}' AND at < date '{}' + 1], q[at >= date '{day}' AND at < date '{day}' + interval '24 hours'], q[at >= '{} 00:00' AND at < '{next_day} 00:00'], q[at >= '{}' AND at < '{} 24:00'],
	q[at >= '{day} 00:00:00' AND at <= '{day} 23:59:59.999999'], q[at >= '{day}' AND at <= '{day} 23:59:59'], q[at::date = $1], q[at::date = date '{}'], 'day = $1', q[day = '{day}'], 'day IN ($1)', 'day BETWEEN $1 AND $1',
	q[day BETWEEN '{day}' AND '{day}'], q[day >= '{}' AND day <= '{}'], q[day > date '{}' - 1 AND day <= '{}'], q[date_trunc('day', at) = $1], 'date(at) = $1', q[dd = '{}'],
	q[dd = $1::date::text], q[dd >= '{}' AND dd < '{next_day}'], 'at BETWEEN $1 AND $2', q[at BETWEEN $1 AND $2::timestamptz - interval '1 microsecond'], q[local AT TIME ZONE 'America/New_York' >= $1 AND local AT TIME ZONE 'America/New_York' < $2],
	'epoch >= extract(epoch FROM $1::timestamptz)::bigint AND epoch < extract(epoch FROM $2::timestamptz)::bigint', 'epoch >= extract(epoch FROM $1::timestamptz) * 1000 AND epoch < extract(epoch FROM $2::timestamptz) * 1000',
	'day >= $1 AND day < $2', 'local >= $1 AND local < $2', q[at > date '{}' - interval '1 microsecond' AND at < '{next_day}']);
for my $query (@same)
{
	my @other = grep { refused($query, $_) !~ $fits || refused($_, $query) !~ $fits } $query, $half_open, 'at::date = $1', 'day BETWEEN $1 AND $1';
	is(join(' | ', @other), '', "the same window: $query");
}
# What is not understood.
for my $condition ('at <@ tstzrange($1, $2)', q[to_char(at, 'YYYY-MM-DD') = '{}'], q[at::text LIKE '{}%'], 'at >= greatest($1, $1::date) AND at < $2', '(at >= $1 AND at < $2) OR at IS NULL', 'at >= $1 AND at < least($2, now())',
	'epoch >= extract(epoch FROM $1::timestamptz) AND epoch < extract(epoch FROM $1::timestamptz) + 172800', q[date_trunc('month', at) = date_trunc('month', $1::timestamptz)], 'id IN (SELECT id FROM other WHERE at >= $1 AND at < $2)')
{
	like(refused($half_open, $condition), $fits, "not judged, replace_where: $condition");
	like(refused($condition, $two_days), $fits, "not judged, the query: $condition");
}
like(refused($half_open, $two_days, mode => q['append'], verify => 'true'), $fits, 'another mode');

# Columns that need not be the same.
my %maybe = (
	'a column of another table' => [ 'SELECT ev.id, ev.at FROM ev JOIN ev AS o USING (id) WHERE o.at >= $1 AND o.at < $2', $two_days ],
	'a join' => [ 'SELECT ev.* FROM ev JOIN (SELECT id AS o FROM ev) AS o ON o = id WHERE at >= $1 AND at < $2', $two_days ],
	'another column' => [ 'local >= $1 AND local < $2', $two_days ], 'an output that is computed' => [ q[SELECT id, at + interval '1 hour' AS at FROM ev WHERE at >= $1 AND at < $2], $two_days ],
	'a transform' => [ $half_open, $two_days, transform => q['SELECT * FROM batch'] ]);
for my $name (sort keys %maybe)
{
	my ($query, $slice, %argument) = @{ $maybe{$name} };
	$query = "SELECT * FROM ev WHERE $query" unless $query =~ /^SELECT/;
	my @call = (mode => q['replace'], target => q['ev'], replace_where => "'$slice'", %argument);
	like(results('TRUNCATE ev', copy_sql($query, '2018-07-29', @call)), qr/WARNING:  public\.ev: replace_where may select another window than the query DETAIL:  The query selects rows from .* $hint/, "a warning: $name");
	like(results(look_sql('explain', $query, '2018-07-29', @call)), qr/warning\|replace_where may select another window than the query\. The query selects/, "explain: $name");
}
my $unknown = qr/warning\|it is not known whether replace_where selects the window of the query; rows in it/;
like(results(look_sql('explain', "SELECT * FROM ev WHERE $half_open", '2018-07-29', mode => q['replace'], replace_where => q['at <@ tstzrange($1, $2)'])), $unknown, 'explain: what is not understood');
unlike(results(look_sql('explain', "SELECT * FROM ev WHERE $half_open", '2018-07-29', mode => q['replace'], replace_where => "'$half_open'")), qr/replace_where selects|may select/, 'explain: the same');

# Clocks change: an hour that is there twice, and a day that begins at 01:00.
for my $start ('2018-11-04 00:30-04', '2018-11-04 01:00-04', '2018-11-04 01:30-04', '2018-11-04 01:00-05', '2018-03-11 01:30-05')
{
	my $slice = q[at >= '{start}' AND at < '{start}'::timestamptz + interval '1 hour'];
	like(results("SELECT copy_incremental_range('nowhere', 'SELECT * FROM ev WHERE $half_open', tstzrange('$start', timestamptz '$start' + interval '1 hour'), target => 'ev', mode => 'replace', replace_where => \$w\$$slice\$w\$)"),
		$fits, "an hour from $start");
}
like(results(copy_sql('SELECT * FROM ev WHERE at >= $1 AND at < $2', '2018-11-04', src_conninfo => q['nowhere'], target => q['ev'], mode => q['replace'], replace_where => q['at::date = $1'], time_zone => q['America/Sao_Paulo'])),
	$fits, 'a day that begins at 01:00');

done_testing();
