# Method copy: errors in mid stream, cancels, a source that stalls, is lost, or breaks the protocol of COPY; and what they leave.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
on_both('CREATE TABLE countries (id int, name text)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO countries SELECT g, 'country ' || g FROM generate_series(1, 7) AS g]);

sub copy_call { my ($query, $day, %argument) = @_; return copy_sql($query, $day, method => "'copy'", %argument); }

$destination->safe_psql('postgres', 'CREATE TABLE big (id int, name text)');
my $error = fails_with($destination, copy_call('SELECT g AS id, (1000 / (50000 - g))::text AS name FROM generate_series(1, 100000) AS g', undef, target => "'big'"),
	'22012', qr/division by zero/, 'an error of the source in mid stream');
like($error, qr/CONTEXT:.*copying the whole result into public\.big/s, 'its context');
$error = fails_with($destination, 'ALTER TABLE big ADD CHECK (id <> 7777); ' . copy_call('SELECT g AS id, g::text AS name FROM generate_series(1, 10000) AS g', undef, target => "'big'"),
	'23514', qr/violates check constraint/, 'an error of the target in mid stream');
like($error, qr/CONTEXT:  COPY big, line 7777\n.*copying the whole result into public\.big/s, 'its context');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM big'), 0, 'nothing is there');
$destination->safe_psql('postgres', 'ALTER TABLE big DROP CONSTRAINT big_id_check');
ok(wait_until($source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'etl_reader'"), 'and nothing runs at the source');
is($destination->safe_psql('postgres', 'DO $do$ BEGIN PERFORM ' . (copy_call('SELECT 7777 AS id, 1 / 0 AS name', undef, target => "'big'") =~ s/^SELECT //r)
	. '; EXCEPTION WHEN division_by_zero THEN NULL; END $do$;' . copy_call('TABLE countries', undef, target => "'big'")), 7, 'an error that is caught, and a run after it');

# In FROM, all numbers would be made before the first is sent.
my $endless = copy_call(q(SELECT generate_series(1, 1000000000) AS id, 'x' AS name), undef, target => "'big'");
my ($watch) = open_session($destination);
for my $end ([ 'cancel', '57014' ], [ 'terminate', '57P01' ])
{
	my ($action, $sqlstate) = @$end;
	my ($session, $pid) = open_session($destination);
	start_call($session, $endless);
	ok(poll_session($watch, "SELECT count(*) FROM pg_stat_progress_copy WHERE pid = $pid AND type = 'CALLBACK' AND command = 'COPY FROM' AND tuples_processed > 1000", 1),
		"$action: pg_stat_progress_copy shows the run");
	$watch->query_safe("SELECT pg_${action}_backend($pid)");
	is((end_of_call($session))[0], $sqlstate, "$action: SQLSTATE");
	ok(wait_until($source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'etl_reader'"), "$action: nothing is left at the source");
	if ($action eq 'cancel') { is($session->query_safe(copy_call('TABLE countries', undef, target => "'countries'")), 7, 'the session copies again'); $session->quit; }
}
my ($stalled, $stalled_pid) = open_session($destination);
start_call($stalled, copy_call(q(SELECT g AS id, CASE WHEN g > 5000 THEN pg_sleep(600)::text END AS name FROM generate_series(1, 6000) AS g), undef, target => "'big'"));
ok(poll_session($watch, "SELECT count(*) FROM pg_stat_activity WHERE pid = $stalled_pid AND wait_event_type = 'Extension'", 1), 'a source that stalls in the middle');
$watch->query_safe("SELECT pg_cancel_backend($stalled_pid)");
is((end_of_call($stalled))[0], '57014', 'is left at once');
start_call($stalled, $endless);
ok(wait_until($source, "SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'etl_reader' AND query ~ '^COPY'"), 'a source that is lost');
$source->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'etl_reader'");
like((end_of_call($stalled))[0], qr/^(57P01|08006)$/, 'is an error');
is($watch->query_safe('SELECT count(*) FROM big WHERE id > 7'), 0, 'nothing is there');
$_->quit for $stalled, $watch;

# --- a source that breaks the protocol

my $header = "PGCOPY\n\377\r\n\0" . pack 'NN', 0, 0;
my $row = pack 'n NN N a5', 2, 4, 1, 5, 'row 1';
my $trailer = pack 'n', 65535;
sub data { my ($count, @pieces) = @_; return { copy => sub { my @kept = grep { !/^[dcC]/ } @_; my $ready = pop @kept;
	return (@kept, (map { ref $_ ? $_ : copy_data($_) } @pieces), message('c'), complete("COPY $count"), $ready) } }; }
my %hostile = (
	good => [ {}, '00000', qr/^12$/m ],
	'bytes one by one' => [ data(1, split //, $header . $row . $trailer), '00000', qr/^1$/m ],
	'a header with an extension' => [ data(1, "PGCOPY\n\377\r\n\0" . pack('NN', 0, 3) . 'abc', $row . $trailer), '00000', qr/^1$/m ],
	'no trailer' => [ data(1, $header . $row), '08P01', qr/without its end/ ],
	'nothing at all' => [ data(0), '22P04|08P01', qr/signature|without its end/ ],
	'data after the trailer' => [ data(1, $header . $row . $trailer, $row), '22P04', qr/after EOF marker/ ],
	'more rows announced' => [ data(2, $header . $row . $trailer), '08P01', qr/1 rows received, COPY 2 announced/ ],
	'fewer rows announced' => [ data(1, $header . $row, $row . $trailer), '08P01', qr/2 rows received, COPY 1 announced/ ],
	'another tag' => [ { copy => replace_first('C', complete('SELECT 12')) }, '08P01', qr/SELECT 12 announced/ ],
	'no tag' => [ { copy => without('C') }, '08P01', qr/unexpected response/ ],
	'a bad signature' => [ data(1, ('x' x 19) . $row . $trailer), '22P04', qr/signature/ ],
	'flags' => [ data(1, "PGCOPY\n\377\r\n\0" . pack('NN', 1 << 17, 0) . $row . $trailer), '22P04', qr/flags/ ],
	'too few fields' => [ data(1, $header . pack('n NN', 1, 4, 1) . $trailer), '22P04', qr/field count is 1/ ],
	'a field of length -7' => [ data(1, $header . pack('n N', 2, 2**32 - 7) . $trailer), '22P04', qr/field size/ ],
	'a field that is cut' => [ data(1, $header . pack('n NN N', 2, 4, 1, 5) . 'row'), '08P01', qr/without its end/ ],
	'an int4 of 3 bytes' => [ data(1, $header . pack('n N a3 N a1', 2, 3, 'abc', 1, 'x') . $trailer), '08P01', qr/insufficient data/ ],
	'an int4 of 8 bytes' => [ data(1, $header . pack('n N a8 N a1', 2, 8, 'abcdefgh', 1, 'x') . $trailer), '22P03', qr/incorrect binary data/ ],
	'text that is not UTF-8' => [ data(1, $header . pack('n NN N a2', 2, 4, 1, 2, "\xff\xfe") . $trailer), '22021', qr/invalid byte sequence/ ],
	'a zero byte' => [ data(1, $header . pack('n NN N a2', 2, 4, 1, 2, "a\0") . $trailer), '22021', qr/0x00/ ],
	'rows instead of data' => [ { copy => replace_first('H', row('a', 'b')) }, '08P01', qr/unexpected response/ ],
	'columns of another format' => [ { copy => replace_first('H', message('H', pack 'C n nn', 0, 2, 0, 0)) }, '08P01', qr/number or format of columns/ ],
	'another number of columns' => [ { copy => replace_first('H', message('H', pack 'C n n', 1, 1, 1)) }, '08P01', qr/number or format of columns/ ],
	'it asks for data' => [ { copy => replace_first('H', message('G', pack 'C n nn', 1, 2, 1, 1)) }, '08P01', qr/unexpected response/ ],
	'an error in mid stream' => [ { copy => replace_first('c', error(C => '22012')) }, '22012', qr/a failure/ ],
	'it hangs up' => [ { copy => replace_first('c', hang_up()) }, '08006', qr/was lost/ ],
	'client_encoding changes' => [ { copy => insert_after('d', parameter('client_encoding', 'LATIN1')) }, '08P01', qr/client_encoding/ ],
	'notices in mid stream' => [ { copy => insert_after('d', notice(), notify('x')) }, '00000', qr/^12$/m ]);
my $hostile = start_hostile_source(map { $_ => $hostile{$_}[0] } keys %hostile);
$destination->safe_psql('postgres', 'CREATE TABLE rows (id int, note text)');
for my $name (sort keys %hostile)
{
	my (undef, $sqlstate, $message) = @{ $hostile{$name} };
	my $call = copy_call('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$@{[ $hostile->conninfo($name) ]}\$c\$", target => "'rows'");
	my (undef, $out, $err) = $destination->psql('postgres', "TRUNCATE rows; $call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my ($state) = $err =~ /ERROR:  (\w{5})/;
	my $left = $destination->safe_psql('postgres', 'SELECT count(*) > 0 FROM rows');
	ok(($state // '00000') =~ /^($sqlstate)$/ && "$out$err" =~ $message && $left eq ($sqlstate eq '00000' ? 't' : 'f'), "hostile: $name")
	  or diag("wanted $sqlstate $message, rows: $left, got $out$err");
}
ok($hostile->is_left_alone, 'no connection is left open');

# In text format, too.
my $latin1 = "SET client_encoding = 'LATIN1';";
my $text_format = sub { my ($count, $text) = @_; my $make = data($count, $text)->{copy};
	return { copy => sub { return map { /^H/ ? message('H', pack 'C n nn', 0, 2, 0, 0) : $_ } $make->(@_) } } };
my %text = (
	good => [ $text_format->(2, "1\ta\n2\tb\n"), '00000', qr/^2$/m ],
	'no line end' => [ $text_format->(1, "1\ta\n2\tb"), '08P01', qr/without its end/ ],
	'rows after the end' => [ $text_format->(3, "1\ta\n\\.\n2\tb\n"), '08P01|22P04', qr/after its end|corrupt/ ],
	'more rows announced' => [ $text_format->(3, "1\ta\n2\tb\n"), '08P01', qr/2 rows received, COPY 3 announced/ ],
	'too few fields' => [ $text_format->(1, "1\n"), '22P04', qr/missing data/ ],
	'text that is not UTF-8' => [ $text_format->(1, "1\t\xff\xfe\n"), '22021', qr/invalid byte sequence/ ]);
$hostile = start_hostile_source(map { $_ => $text{$_}[0] } keys %text);
for my $name (sort keys %text)
{
	my (undef, $sqlstate, $message) = @{ $text{$name} };
	my $call = copy_call('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$@{[ $hostile->conninfo($name) ]}\$c\$", target => "'rows'");
	my (undef, $out, $err) = $destination->psql('postgres', "TRUNCATE rows; $latin1 $call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my ($state) = $err =~ /ERROR:  (\w{5})/;
	ok(($state // '00000') =~ /^($sqlstate)$/ && "$out$err" =~ $message, "hostile text: $name") or diag("wanted $sqlstate $message, got $out$err");
}

no_session_left($source, 'no session is left at the source');
done_testing();
