//! Every fault to survive and every promise of security, each with the tests that cover it. It owns
//! the table alone; a test here holds that each named test exists.
//!
//! | Fault or promise | Tests |
//! |---|---|
//! | Redis hangs | `no_request_is_lost_while_redis_hangs`, `soak_a_hanging_redis_costs_a_request_no_more_than_its_deadline` |
//! | Redis dies, comes back empty | `no_request_is_lost_when_redis_is_killed_and_comes_back_empty`, `a_redis_that_comes_back_empty_is_no_mass_miss` |
//! | Redis refuses or swallows packets | `a_redis_that_swallows_packets_costs_its_deadline_only`, `a_closed_port_and_one_that_swallows_packets_still_give_answers` |
//! | Redis slow, torn reply | `replies_in_pieces_cut_off_or_of_another_kind_give_no_wrong_body` |
//! | Redis full | `no_request_is_lost_while_redis_is_full`, `a_full_redis_serves_what_it_has_and_its_refusals_are_counted` |
//! | Redis demoted, loading, paused, wrong password, at `maxclients` | `no_request_is_lost_while_redis_is_a_replica`, `a_redis_that_loads_its_data_is_passed_by_until_it_has_it`, `a_paused_redis_is_passed_by_until_it_goes_on`, `no_request_is_lost_while_redis_wants_a_password`, `a_redis_without_room_for_clients_is_passed_by_until_there_is` |
//! | Redis busy with a script | `a_redis_that_is_busy_with_a_script_is_passed_by_until_the_script_is_killed` |
//! | Certificates run out | `an_expired_certificate_of_the_database_is_named_and_copies_are_served_until_it_is_renewed`, `an_expired_certificate_of_redis_costs_the_shared_tier_alone_until_it_is_renewed`, `an_expired_certificate_is_served_and_said` |
//! | PostgreSQL restarts, hangs, is full | `a_database_that_restarts_under_load_costs_no_wrong_body_and_heals`, `while_the_database_hangs_hits_are_served_and_cold_keys_refused_until_it_goes_on`, `soak_a_database_that_hangs_costs_a_cold_key_two_seconds_and_a_hit_nothing`, `who_has_waited_while_another_instance_tried_a_hung_database_gives_it_less_time`, `soak_a_database_that_hangs_costs_no_instance_three_seconds`, `a_full_server_is_up_and_every_load_tries`, `an_instance_that_takes_over_from_one_whose_database_hangs_does_not_wait_as_long_again`, `a_full_database_is_503_with_its_cause_in_the_log_and_heals_when_there_is_room` |
//! | PostgreSQL fails over; its name leads elsewhere | `a_name_that_moves_to_the_promoted_standby_is_followed_and_no_copy_is_lost` |
//! | A standby that is promoted | `a_standby_that_is_promoted_keeps_the_cache` |
//! | Slow query, lock wait | `a_statement_over_its_limit_is_a_timeout_and_runs_no_longer`, `a_lock_elsewhere_is_504_or_a_stale_copy_and_leaves_nothing_running` |
//! | A deadlock | `a_load_that_a_deadlock_ended_is_run_again` |
//! | `ALTER TABLE … ADD` under `select *` | `columns_that_come_change_and_go_under_load_cost_no_error_and_are_seen` |
//! | A password or a token that changes under load | `a_password_that_changes_under_load_costs_no_copy_and_a_reload_brings_the_new_one`, `no_request_is_lost_while_redis_wants_a_password`, `a_password_that_changes_costs_no_request_and_a_reload_brings_the_new_one`, `a_token_that_changes_under_load_costs_no_request_of_others_and_no_copy` |
//! | Floods of distinct values, on one query and on two | `a_query_that_wants_all_connections_gets_half_and_the_others_go_on`, `two_floods_keep_a_third_query_out_for_one_statement_at_most`, `the_last_place_is_for_a_query_that_has_none`, `a_query_that_comes_late_is_before_those_that_have_loads_at_work` |
//! | PostgreSQL that is well and far | `a_server_that_is_far_answers_every_load` |
//! | Two databases, or two texts, under one name | `two_databases_of_one_name_never_give_each_others_rows`, `who_is_answered_from_memory_alone_learns_that_the_name_leads_elsewhere`, `keys_are_equal_only_where_postgres_is_asked_the_same`, `keys_are_equal_only_where_sqlite_is_asked_the_same`, `a_name_that_begins_to_lead_elsewhere_brings_its_own_rows`, `purges_and_reports_stay_with_their_database`, `away_at_the_start_nothing_is_served_where_there_were_two_databases`, `a_copy_restored_from_a_backup_is_told_by_its_server` |
//! | A value of a visitor that the database refuses | `a_value_that_postgresql_refuses_is_a_400_that_names_it`, `a_value_that_sqlite_refuses_is_a_400_that_names_it`, `a_character_that_the_encoding_lacks_is_a_400` |
//! | PgBouncer in transaction mode | `thirty_two_clients_over_three_connections_get_their_own_rows`, `nothing_is_left_on_the_connections_of_a_pooler`, `options_that_a_pooler_drops_are_named_and_those_that_arrive_are_not` |
//! | Huge result | `a_huge_result_stops_at_the_bound_with_memory_flat`, `a_result_over_every_bound_is_503_with_memory_flat`, `one_result_takes_its_size_and_as_much_again`, `several_results_have_one_bound_in_common`, `a_row_of_sqlite_that_is_too_large_is_refused_with_memory_flat`, `several_results_of_sqlite_have_one_bound_in_common`, `statements_that_would_kill_end_and_leave_memory_flat`, `statements_of_sqlite_that_would_kill_end_and_leave_memory_flat`, `one_result_of_sqlite_takes_its_size_and_as_much_again`, `a_load_of_sqlite_takes_no_memory_that_others_have_and_finds_it_when_they_gave_it_back` |
//! | A text that is too long for SQLite | `a_text_is_what_sqlite_makes_or_too_large_and_never_a_null_instead`, `texts_by_a_format_are_sqlites_own` |
//! | SQLite busy, runaway statement, damaged file | `a_file_that_somebody_has_locked_is_503_until_it_is_free`, `a_statement_without_an_end_is_504_and_ends`, `a_damaged_file_is_503_for_cold_keys_and_heals_with_the_file`, `a_single_long_step_keeps_its_slot_and_there_are_no_more_threads_than_slots`, `a_file_that_is_copied_over_is_read_anew_although_its_counter_is_the_same` |
//! | A SQLite file that cannot be opened, was left by a crash, or is locked | `a_closed_write_ahead_log_is_read_in_a_folder_that_cannot_be_written`, `a_write_ahead_log_of_a_program_that_runs_is_read_beside_it`, `a_write_ahead_log_of_a_crash_is_read_or_named_with_its_remedy`, `a_journal_of_a_crash_is_named_with_its_remedy_and_the_database_is_away`, `what_cannot_be_opened_says_why`, `a_file_that_goes_away_or_becomes_something_else_says_which`, `a_file_that_another_program_has_locked_says_so`, `a_frozen_file_that_is_written_to_is_seen_as_it_is_then` |
//! | Lease holder killed, or stopped past its lease and woken | `when_the_holder_of_the_lease_dies_one_of_those_who_wait_loads`, `a_holder_that_slept_past_its_lease_stores_nothing` |
//! | 1,000 clients on one cold key; on a failing one; on an uncacheable one | `a_thousand_clients_on_a_cold_key_are_one_load_in_the_fleet`, `a_crowd_on_a_failing_key_is_one_load_and_on_an_uncached_query_stays_within_the_pool` |
//! | Client leaves in mid-load | `a_client_that_leaves_takes_nothing_with_it_and_its_load_is_stored` |
//! | Foreign, damaged, oversized value in Redis | `envelopes_that_are_not_ours_are_counted_and_overwritten_with_memory_flat`, `no_flipped_bit_of_an_envelope_gives_another_body`, `values_that_are_not_ours_are_misses_and_are_overwritten` |
//! | Clock jumps | `the_rules_hold_whatever_happens` |
//! | A machine that sleeps | `the_clock_counts_what_the_machine_has_slept`, `the_clock_never_goes_back`, `rows_that_were_read_before_the_machine_slept_are_as_old_as_the_sleep`, `what_came_due_while_the_machine_slept_is_loaded_within_seconds_of_its_waking` |
//! | Distinct values of one visitor | `two_thousand_values_asked_for_once_are_not_kept_for_errors_and_those_asked_for_twice_are`, `past_its_windows_a_copy_with_a_second_reader_stands_in_for_a_database_that_is_away`, `a_thousand_values_that_are_asked_for_once_leave_redis_when_their_windows_end`, `a_second_reader_brings_nothing_back_that_redis_no_longer_has` |
//! | 10,000 keys of one age | `ten_thousand_keys_that_expire_together_stay_within_the_pool_and_nobody_is_refused`, `jitter_only_shortens_by_a_tenth_at_most_and_depends_on_the_stamp_alone` |
//! | Log disk full | `a_full_disk_stops_nothing_and_is_counted`, `a_stuck_disk_costs_lines_and_not_time` |
//! | Descriptors exhausted, 10,000 slow clients | `few_descriptors_bound_the_connections_and_good_clients_get_their_turn`, `soak_ten_thousand_slow_clients_leave_the_good_ones_their_answers` |
//! | Panic in a handler | `a_handler_that_panics_is_a_500_with_every_header_and_serving_goes_on` |
//! | TERM, HUP, USR2 under load | `reloads_upgrades_and_scaling_lose_no_request` |
//! | What one query leaves on its connection | `no_setting_that_a_query_can_set_outlives_it`, `nothing_else_that_a_query_leaves_reaches_the_next` |
//! | Clients that do not read | `answers_that_nobody_reads_stay_within_their_budget_and_are_given_back`, `clients_that_do_not_read_are_given_up_and_cost_little_memory`, `what_clients_share_counts_once_and_goes_on_when_it_leaves_the_cache`, `buffers_of_connections_count_and_errors_are_sent_though_all_is_full` |
//! | Requests ahead of answers that nobody reads | `requests_of_clients_that_do_not_read_cost_little_and_all_are_answered_in_order`, `each_pipelined_request_gets_the_answer_of_its_own_method_and_version`, `requests_end_where_they_end_however_they_are_cut` |
//! | Readers of a few bytes now and then | `a_client_that_takes_too_little_is_given_up_and_a_slow_link_is_not`, `a_reader_that_is_too_slow_loses_its_connection_and_a_slow_link_does_not` |
//! | A link in the place of a log or pidfile of root | `root_follows_no_link_that_another_user_has_put_in_the_place_of_a_log`, `a_log_that_is_opened_again_stays_where_it_is_when_a_link_stands_in_its_place`, `root_does_not_use_a_folder_that_another_user_may_write`, `root_does_not_open_a_file_that_another_user_can_have_put_in_the_place_of_a_log`, `root_goes_through_no_folder_that_another_user_has_put_on_the_way_to_a_log` |
//! | A statement that catches its cancellation | `a_statement_that_catches_its_cancellation_keeps_no_more_backends_than_the_pool_has`, `a_backend_that_nothing_ends_counts_as_taken_until_it_is_gone` |
//! | An instance that Redis does not reach | `an_instance_cut_off_from_redis_calls_nothing_fresh_that_was_purged_elsewhere`, `who_purges_is_told_which_instances_have_confirmed_it` |
//! | Each of them after the other | `soak_no_fault_makes_an_answer_wrong_or_lost` |
//! | Pages in the way of others | `a_body_is_encoded_beside_the_workers_which_answer_meanwhile`, `soak_large_pages_and_compressions_at_most_double_the_median_of_others`, `a_small_page_is_made_at_once_and_a_large_one_beside_the_workers`, `a_page_of_long_values_shows_their_beginning_and_stays_small` |
//! | A storm of connections | `soak_a_storm_of_connections_leaves_others_their_answers_and_nothing_behind` |
//! | A stopped process, half-closed pipelines | `a_request_that_came_while_the_process_was_stopped_is_answered`, `requests_before_an_end_of_input_are_answered`, `an_idle_connection_ends_after_its_keep_alive`, `the_time_for_a_head_does_not_run_while_the_process_is_stopped`, `rows_that_waited_for_a_process_that_was_stopped_are_older_than_any_load_takes`, `an_answer_that_came_while_the_process_was_busy_is_no_failure_of_redis` |
//! | SQL only from files, typed binds, reads | `no_parameter_of_any_type_becomes_sql`, `the_role_reads_and_does_not_write_and_check_has_no_warning_of_it` |
//! | Request heads and bodies are bounded | `a_request_over_a_limit_is_refused_by_name` |
//! | Parameters are bounded | `a_value_of_the_greatest_length_gets_its_own_rows_and_a_longer_one_is_refused_by_name` |
//! | No poisoning by what is not in the key | `no_header_poisons_an_entry_alone_or_with_all_others`, `parameters_that_nobody_declared_load_and_change_nothing` |
//! | No deception by an address; assets | `unknown_addresses_are_404_and_suggest_the_nearest_query` |
//! | Headers on every response | `every_status_has_the_headers_of_every_response`, `what_is_no_request_is_refused_with_words_headers_an_id_and_a_line_in_the_log`, `every_response_has_the_security_headers_and_an_id`, `a_later_request_on_a_kept_connection_is_told_too`, `a_head_that_does_not_come_is_told_that_it_came_too_late` |
//! | XSS | `no_value_name_title_or_parameter_becomes_markup` |
//! | Forwarded headers | `a_stranger_is_not_believed`, `a_trusted_proxys_word_decides_who_the_client_is` |
//! | Request smuggling | `ambiguous_requests_are_refused` |
//! | Admin actions, tokens | `stats_are_open_to_this_machine_and_to_nobody_else_by_default`, `who_may_not_where_it_is_not_and_how_it_is_not_done`, `tokens_are_the_same_only_when_all_bytes_are_and_are_not_shown`, `guessing_is_bounded_for_each_client_and_costs_others_nothing` |
//! | The life of a copy is the truth | `the_life_of_a_copy_is_said_whole_and_what_is_left_is_the_truth`, `a_stale_copy_has_no_life_left_whatever_made_it_stale`, `a_copy_past_its_life_is_stale_to_others_too_and_its_window_shrinks`, `what_is_not_cached_is_kept_by_nobody`, `rows_that_a_purge_came_upon_have_no_life_left` |
//! | Links lead to what they name | `every_link_of_every_page_leads_to_what_it_names`, `the_links_of_a_result_lead_to_the_same_rows`, `pages_without_a_database_have_no_dead_link_either` |
//! | Rows that look like a refusal | `rows_that_look_like_a_refusal_are_sent_as_they_are` |
//! | Secrets | `a_password_is_shown_nowhere`, `no_secret_value_or_address_is_shown_or_logged`, `a_secret_in_the_wrong_place_is_in_no_message`, `a_password_in_the_wrong_place_is_masked` |
//! | Errors say nothing to a client | `a_wrong_password_is_said_under_debug_only_and_never_itself`, `the_log_line_of_a_failing_query_leads_to_its_place_on_postgresql`, `the_log_line_of_a_failing_query_leads_to_its_place_on_sqlite`, `who_asks_is_told_to_come_back_only_where_that_can_help` |
//! | DNS rebinding | `a_foreign_name_gets_nothing_on_any_route`, `this_machines_own_names_are_answered_and_those_that_are_set`, `what_a_trusted_proxy_passes_on_is_answered_and_a_page_cannot_pretend_to_be_one`, `a_name_that_is_none_is_refused_at_the_start` |
//! | Root and the service's user | `an_innocent_process_is_not_signalled_though_its_number_stands_in_a_locked_pidfile`, `root_does_not_use_a_folder_that_another_user_may_write`, `numbers_that_no_daemon_has_are_refused_in_words`, `a_daemon_is_found_by_its_lock_whatever_number_was_written_over_its_own`, `a_link_in_the_place_of_a_pidfile_is_not_followed`, `what_another_program_says_at_the_control_socket_is_neither_asked_nor_believed`, `only_the_socket_s_own_file_is_given_away` |
//! | Log injection | `a_log_line_is_one_line_whatever_a_request_holds` |

use std::fs;
use std::path::Path;

/// Adds the names of all functions in the files below a folder.
fn collect_functions(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_table_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    collect_functions(&root.join("tests/it"), &mut code);
    collect_functions(&root.join("src"), &mut code);
    let rows = include_str!("faults_table.rs")
        .lines()
        .filter(|line| line.starts_with("//! | ") && line.contains("| `"));
    let mut named = 0;
    for row in rows {
        let (_, tests) = row.rsplit_once("| `").unwrap();
        for name in tests.trim_end_matches("` |").split("`, `") {
            assert!(code.contains(&format!("fn {name}()")), "no test {name}");
            named += 1;
        }
    }
    assert!(named > 50, "{named}");
}
