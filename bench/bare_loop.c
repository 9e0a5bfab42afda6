// The limit: MuJoCo in a plain C loop on one mjData, with the same model, substeps, hold and resets as the batch it
// is compared with, and no observation. Reads "control steps" from standard input, one number a line; answers each
// with "wall seconds, CPU seconds, physics steps, mean contacts".
#include <mujoco/mujoco.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double uniform(uint32_t* state) {  // in [-1, 1)
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return (double)(*state >> 8) / 8388608.0 - 1.0;
}

int main(int argc, char** argv) {
  if (argc < 6) {
    fprintf(stderr, "usage: bare_loop model.xml timestep substeps horizon noise [home qpos... : home ctrl...]\n");
    return 2;
  }
  char message[1000] = "";
  mjModel* m = mj_loadXML(argv[1], NULL, message, sizeof message);
  if (m == NULL) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  m->opt.timestep = atof(argv[2]);
  const int substeps = atoi(argv[3]), horizon = atoi(argv[4]);
  const double noise = atof(argv[5]);
  const int nq = (int)m->nq, nu = (int)m->nu;
  if (argc != 6 + nq + nu) {
    fprintf(stderr, "expected %d positions and %d controls\n", nq, nu);
    return 2;
  }
  mjData* d = mj_makeData(m);
  uint32_t random = 12345;
  long step = 0;
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    const long count = atol(line);
    double contacts = 0;
    const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (long i = 0; i < count; ++i, ++step) {
      if (step % horizon == 0) {
        mj_resetData(m, d);
        for (int k = 0; k < nq; ++k) d->qpos[k] = atof(argv[6 + k]);
        mj_forward(m, d);
      }
      for (int k = 0; k < nu; ++k) d->ctrl[k] = atof(argv[6 + nq + k]) + noise * uniform(&random);
      for (int k = 0; k < substeps; ++k) mj_step(m, d);
      contacts += (double)d->ncon;
    }
    printf("%.9f %.9f %ld %.3f\n", seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_THREAD_CPUTIME_ID) - cpu,
           count * substeps, contacts / (double)count);
    fflush(stdout);
  }
  mj_deleteData(d);
  mj_deleteModel(m);
  return 0;
}
