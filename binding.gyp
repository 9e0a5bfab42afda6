{
  "targets": [
    {
      "target_name": "vernier",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "CMakeLists.txt is the one source of truth; this hands over to it through cmake-js",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/vernier.node"],
          "action": ["node", "native/build.mjs"]
        }
      ]
    }
  ]
}
