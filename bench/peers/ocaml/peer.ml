(* The points of the suite in OCaml: peer POINT [NUMBER...]; prints one JSON object.
   SPDX-License-Identifier: BSL-1.0 *)
external pairs : int -> float = "peer_pairs"
external section : int -> int -> unit = "peer_section"
external calibrate : unit -> float = "peer_calibrate"
external speed_up : unit -> float = "peer_speed_up"
external busy : bool -> unit = "peer_busy"
external now : unit -> float = "peer_now"

let report members =
  let member (name, value) = Printf.sprintf "\"%s\": %.6g" name value in
  print_endline ("{" ^ String.concat ", " (List.map member members) ^ "}")

let pair () =
  let rec best rounds least = if rounds = 0 then least else best (rounds - 1) (min least (pairs 500_000)) in
  report [ ("pair_ns", best 7 infinity) ]

let parallel tasks section_us =
  let rate = calibrate () in
  let steps = int_of_float (rate *. section_us) and held = int_of_float (rate *. section_us /. 10.) in
  let each = max 4 (int_of_float (200_000. /. section_us /. tasks)) in
  let body () = for _ = 1 to each do section steps held done in
  let start = now () in
  let threads = List.init (int_of_float tasks) (fun _ -> Thread.create body ()) in
  List.iter Thread.join threads;
  let parallelism = tasks *. float_of_int each *. section_us /. 1e6 /. (now () -. start) in
  let bound = speed_up () *. section_us /. (section_us +. section_us /. 10.) in
  report [ ("parallelism", parallelism); ("bound", bound); ("of_bound", parallelism /. bound) ]

let compute goes_on =
  let rounds = ref 0 and x = ref [] and start = now () in
  while goes_on start do
    for i = 1 to 100 do x := [ i ] done;  (* allocates, so it can give way *)
    incr rounds
  done;
  ignore (Sys.opaque_identity !x);
  float_of_int !rounds /. (now () -. start)

let beside section_us =
  let seconds = 0.3 and steps = int_of_float (calibrate () *. section_us) in
  busy true;
  let alone = compute (fun start -> now () -. start < seconds) in
  busy false;
  let finished = ref false and kept = ref 0. and each = ref 0. in
  let computes () = kept := compute (fun _ -> not !finished) /. alone in
  let sections () =
    let count = ref 0 and start = now () in
    while now () -. start < seconds do
      section steps 0;
      incr count
    done;
    each := (now () -. start) *. 1e6 /. float_of_int !count;
    finished := true in
  List.iter Thread.join [ Thread.create computes (); Thread.create sections () ];
  report [ ("us_per_iteration", !each); ("speed_kept", !kept) ]

let () =
  match Array.to_list Sys.argv |> List.tl with
  | [ "pair" ] -> pair ()
  | [ "parallel"; tasks; section_us ] -> parallel (float_of_string tasks) (float_of_string section_us)
  | [ "beside"; section_us ] -> beside (float_of_string section_us)
  | _ -> prerr_endline "usage: peer pair | parallel TASKS SECTION_US | beside SECTION_US"; exit 2
